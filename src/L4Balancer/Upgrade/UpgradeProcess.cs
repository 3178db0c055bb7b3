using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.Versioning;
using L4Balancer.Core.Config;
using L4Balancer.Engine.Linux;
using L4Balancer.Logging;

namespace L4Balancer.Upgrade;

/// <summary>
/// The new process of an upgrade, as its parent sees it. It has this process's output and environment (<see cref="UpgradeEnvironment"/>), and goes on
/// when this process has ended.
/// </summary>
[SupportedOSPlatform("linux")]
internal sealed class UpgradeProcess : IDisposable
{
    private const int MostErrorLines = 5;

    private static readonly TimeSpan ToDie = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan ToNotice = TimeSpan.FromSeconds(1);

    private readonly Process _process;

    private UpgradeProcess(Process process, UpgradeChannel channel)
    {
        _process = process;
        Channel = channel;
    }

    public int Id => _process.Id;

    public UpgradeChannel Channel { get; }

    /// <summary>Runs <c>check</c> of the new program on the configuration file.</summary>
    /// <exception cref="UpgradeException">It cannot be started, does not end in time, or finds errors.</exception>
    public static async Task CheckAsync(UpgradeProgram program, string config, TimeSpan limit, bool withFault, CancellationToken cancel)
    {
        ProcessStartInfo start = StartOf(program, "check", config, withFault);
        start.RedirectStandardOutput = start.RedirectStandardError = true;
        using Process check = Begin(start, program);
        using var passed = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        passed.CancelAfter(limit);
        try
        {
            Task<string> output = check.StandardOutput.ReadToEndAsync(passed.Token);
            string errors = await check.StandardError.ReadToEndAsync(passed.Token);
            await output;
            await check.WaitForExitAsync(passed.Token);
            if (check.ExitCode != 0)
            {
                string[] lines = [.. errors.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Take(MostErrorLines)];
                throw new UpgradeException(string.Create(
                    CultureInfo.InvariantCulture,
                    $"{program.File} check ended with {check.ExitCode}{(lines.Length > 0 ? ": " : "")}{LogText.ForTerminal(string.Join("; ", lines))}"));
            }
        }
        catch (OperationCanceledException)
        {
            throw cancel.IsCancellationRequested
                ? new UpgradeException("this process is stopping")
                : new UpgradeException($"{program.File} check has not ended within {Duration.Format(limit)}");
        }
        finally
        {
            Kill(check);
        }
    }

    /// <summary>Starts <c>run</c> of the new program with one end of a channel.</summary>
    /// <exception cref="UpgradeException">It cannot be started.</exception>
    public static UpgradeProcess Start(UpgradeProgram program, string config, bool withFault)
    {
        PacketPair pair = PacketPair.TryCreate(out int other, out string? fault) ?? throw new UpgradeException(fault!);
        Process? process = null;
        try
        {
            ProcessStartInfo start = StartOf(program, "run", config, withFault);
            start.Environment[UpgradeEnvironment.Descriptor] = other.ToString(CultureInfo.InvariantCulture);
            PacketPair.SetInherited(other, true);
            process = Begin(start, program);
            pair.Peer = WatchedProcess.TryOpen(process.Id) ?? throw new UpgradeException(WhyNotWatched(process));
            return new UpgradeProcess(process, new UpgradeChannel(pair) { Other = "the new process" });
        }
        catch
        {
            if (process is not null)
            {
                Kill(process);
                process.Dispose();
            }

            pair.Dispose();
            throw;
        }
        finally
        {
            PacketPair.Close(other);
        }
    }

    /// <summary>Waits a moment for the end of a process that has closed its end of the channel.</summary>
    public void WaitForEnd() => Channel.Peer?.Wait(ToDie);

    /// <summary>Ends the new process at once: nothing of what it has is closed in good order, so that its keeper holds it.</summary>
    /// <returns>How it ended if it had ended by itself, as text; null if it lived.</returns>
    public string? End()
    {
        string? ended = Channel.Peer is { HasEnded: true } && _process.WaitForExit(ToDie) ? string.Create(CultureInfo.InvariantCulture, $"exit code {_process.ExitCode}") : null;
        Kill(_process);
        return ended;
    }

    public void Dispose()
    {
        Channel.Dispose();
        _process.Dispose();
    }

    private static ProcessStartInfo StartOf(UpgradeProgram program, string command, string config, bool withFault)
    {
        var start = new ProcessStartInfo(program.File, [.. program.First, command, "--config", config]) { UseShellExecute = false };
        start.Environment.Clear();
        foreach ((string name, string value) in UpgradeEnvironment.ForChild(withFault))
        {
            start.Environment[name] = value;
        }

        return start;
    }

    private static Process Begin(ProcessStartInfo start, UpgradeProgram program)
    {
        try
        {
            return Process.Start(start)!;
        }
        catch (Exception e) when (e is Win32Exception or IOException or InvalidOperationException)
        {
            throw new UpgradeException($"{program.File} cannot be started: {e.Message.TrimEnd('.')}");
        }
    }

    // One that ends at once may be gone before it is watched.
    private static string WhyNotWatched(Process process) => process.WaitForExit(ToNotice)
        ? string.Create(CultureInfo.InvariantCulture, $"the new process has ended (exit code {process.ExitCode})")
        : "the new process cannot be watched: no descriptor left";

    private static void Kill(Process process)
    {
        try
        {
            process.Kill();
            process.WaitForExit(ToDie);
        }
        catch (Exception e) when (e is InvalidOperationException or Win32Exception)
        {
            // It has ended by itself.
        }
    }
}
