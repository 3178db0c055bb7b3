using System.Diagnostics;
using System.Globalization;

namespace L4Balancer.Tests.Hosting;

/// <summary>
/// The scene of <c>bench survive</c> in small: 300 connections through one daemon, a third each with messages, bulk and nothing, others
/// that come and go, and every byte checked. What it judges is in <c>bench/Survive/SurviveReport.cs</c>.
/// </summary>
[Category(DaemonProcess.Category)]
[Platform("Linux")]
internal sealed class SurvivalTests
{
    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(3);

    /// <summary>Of the tests and of the bench beside them.</summary>
    private static readonly string Configuration = new DirectoryInfo(AppContext.BaseDirectory).Parent!.Name;

    private static string Bench => Path.Combine(Repository.Root, "bench", "bin", Configuration, "net10.0", "L4Balancer.Bench.dll");

    private static string Daemon => DaemonProcess.Executable ?? Path.Combine(AppContext.BaseDirectory, "l4balancer");

    [Test]
    public async Task Upgrades_and_kills_lose_no_connection_and_no_byte()
    {
        await NeedNamespaceAsync();

        // Only the native build has a keeper.
        int kills = DaemonProcess.Executable is null ? 0 : 2;
        (int code, string said) = await RunAsync(
            "dotnet", "exec", Bench, "survive", "--connections", "300", "--upgrades", "3", "--kills", Text(kills), "--calm", "1", "--every", "500",
            "--rate", "200", "--busy", "1", "--standstill", "0", "--daemon", Daemon);
        TestContext.Out.WriteLine(said);
        Assert.That(code, Is.Zero, said);
    }

    // The ports of the scene are fixed.
    private static async Task NeedNamespaceAsync()
    {
        string flags = Environment.IsPrivilegedProcess ? "-n" : "-rn";
        try
        {
            (int code, string said) = await RunAsync("unshare", flags, "ip", "link", "set", "lo", "up");
            if (code != 0)
            {
                Assert.Ignore($"no network namespace can be made here: {said}");
            }
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            Assert.Ignore($"no network namespace can be made here: {e.Message}");
        }
    }

    private static async Task<(int Code, string Said)> RunAsync(params string[] command)
    {
        using var passed = new CancellationTokenSource(Deadline);
        var start = new ProcessStartInfo(command[0], command[1..]) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["DOTNET_EnableDiagnostics"] = "0";
        using Process process = Process.Start(start)!;
        try
        {
            Task<string> errors = process.StandardError.ReadToEndAsync(passed.Token);
            string said = await process.StandardOutput.ReadToEndAsync(passed.Token) + await errors;
            await process.WaitForExitAsync(passed.Token);
            return (process.ExitCode, said);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw new AssertionException($"{string.Join(' ', command)} still runs after {Deadline}");
        }
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
