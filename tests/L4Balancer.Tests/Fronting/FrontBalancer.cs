using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;

namespace L4Balancer.Tests.Fronting;

/// <summary>A balancer host: the daemon with the configuration of an example, which can be stopped and started again.</summary>
/// <param name="address">Its own address, which the backends see.</param>
/// <param name="file">The configuration.</param>
internal sealed partial class FrontBalancer(VirtualHost host, string address, string file) : IAsyncDisposable
{
    private DaemonProcess? _daemon;
    private Process? _replacement;

    public VirtualHost Host => host;

    public string Address => address;

    public DaemonProcess Daemon => _daemon!;

    /// <summary>The configuration of an example, as it is.</summary>
    public static string FileOf(string example) => Repository.PathOf("packaging", "examples", example, "balancer.toml");

    /// <summary>Starts the daemon; a previous one has to be dead.</summary>
    public async Task StartAsync()
    {
        await (_daemon?.DisposeAsync() ?? ValueTask.CompletedTask);
        _daemon = DaemonProcess.Start(new Dictionary<string, string>(), host.Enter, static _ => false, "run", "--config", file);
        await _daemon.ReadyAsync();
    }

    /// <summary>The daemon is replaced by a new process (<c>upgrade</c>), which has its output.</summary>
    public async Task UpgradeAsync()
    {
        await using DaemonProcess command = DaemonProcess.Start(new Dictionary<string, string>(), host.Enter, static _ => false, "upgrade");
        int code = await command.ExitAsync();
        string said = string.Join('\n', command.Output.Concat(command.Errors));
        Assert.That(code, Is.Zero, () => $"{said}\n{string.Join('\n', Daemon.Output)}");
        _replacement = Process.GetProcessById(int.Parse(Replaced().Match(said).Groups[1].Value, CultureInfo.InvariantCulture));
    }

    /// <summary>SIGKILL to the process that serves.</summary>
    public async Task KillAsync()
    {
        if (_replacement is null)
        {
            Daemon.Signal(DaemonProcess.SIGKILL);
        }
        else
        {
            EndReplacement();
        }

        await Daemon.ExitAsync();
    }

    /// <summary>As a service manager does: the connections are in the keeper meanwhile.</summary>
    public async Task KillAndRestartAsync()
    {
        await KillAsync();
        await StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        EndReplacement();
        await (_daemon?.DisposeAsync() ?? ValueTask.CompletedTask);
    }

    private void EndReplacement()
    {
        _replacement?.Kill();
        _replacement?.Dispose();
        _replacement = null;
    }

    [GeneratedRegex(@"process (\d+) has replaced")]
    private static partial Regex Replaced();
}
