namespace L4Balancer.Tests.Fronting;

/// <summary>A balancer host: the daemon with the configuration of an example, which can be stopped and started again.</summary>
/// <param name="address">Its own address, which the backends see.</param>
/// <param name="file">The configuration.</param>
internal sealed class FrontBalancer(VirtualHost host, string address, string file) : IAsyncDisposable
{
    private DaemonProcess? _daemon;

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

    /// <summary>SIGKILL.</summary>
    public async Task KillAsync()
    {
        Daemon.Signal(DaemonProcess.SIGKILL);
        await Daemon.ExitAsync();
    }

    public async ValueTask DisposeAsync() => await (_daemon?.DisposeAsync() ?? ValueTask.CompletedTask);
}
