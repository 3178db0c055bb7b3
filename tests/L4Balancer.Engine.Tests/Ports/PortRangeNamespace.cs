using System.ComponentModel;
using System.Diagnostics;

namespace L4Balancer.Engine.Tests.Ports;

/// <summary>
/// A network namespace (network_namespaces(7)) with a loopback interface and sixteen ephemeral ports. A namespace belongs to
/// threads, and sockets are opened on threads of the pool: so a body runs as a process of its own, by way of Program.cs.
/// </summary>
internal static class PortRangeNamespace
{
    public const int Ports = 16;

    private const string SetUp = "ip link set lo up && echo '40000 40015' > /proc/sys/net/ipv4/ip_local_port_range";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    /// <summary>Runs a body of Program.cs; skips the test where this host lets nobody make a namespace.</summary>
    public static async Task RunAsync(params string[] body)
    {
        (int code, string errors) = await InNamespaceAsync(SetUp);
        if (code != 0)
        {
            Assert.Ignore($"No network namespace with a port range of its own can be made here: {errors.Trim()}");
        }

        string dotnet = Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet";
        string assembly = typeof(PortRangeNamespace).Assembly.Location;
        (code, errors) = await InNamespaceAsync($"{SetUp} && exec \"$@\"", [dotnet, "exec", assembly, .. body]);
        Assert.That(code, Is.Zero, errors);
    }

    // A user namespace (user_namespaces(7)) gives the right to make the other one to who is not root, where the host allows it.
    private static async Task<(int Code, string Errors)> InNamespaceAsync(string script, params string[] command)
    {
        string flags = Environment.IsPrivilegedProcess ? "-n" : "-rn";
        var start = new ProcessStartInfo("unshare", [flags, "sh", "-c", script, "sh", .. command]) { RedirectStandardError = true };
        try
        {
            using Process process = Process.Start(start)!;
            using var deadline = new CancellationTokenSource(Patience);
            try
            {
                string errors = await process.StandardError.ReadToEndAsync(deadline.Token);
                await process.WaitForExitAsync(deadline.Token);
                return (process.ExitCode, errors);
            }
            catch (OperationCanceledException)
            {
                process.Kill(entireProcessTree: true);
                return (-1, $"Not done within {Patience}.");
            }
        }
        catch (Win32Exception e)
        {
            return (-1, $"unshare: {e.Message}");
        }
    }
}
