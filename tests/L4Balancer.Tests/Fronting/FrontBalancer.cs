namespace L4Balancer.Tests.Fronting;

/// <summary>A balancer host: the daemon with the configuration of an example, which can be stopped and started again.</summary>
internal sealed class FrontBalancer(VirtualHost host, string address, string example) : IAsyncDisposable
{
    private DaemonProcess? _daemon;

    public VirtualHost Host => host;

    /// <summary>Its own address, which the backends see.</summary>
    public string Address => address;

    public DaemonProcess Daemon => _daemon!;

    /// <summary>Starts the daemon; a previous one has to be dead.</summary>
    public async Task StartAsync()
    {
        await (_daemon?.DisposeAsync() ?? ValueTask.CompletedTask);
        string file = Repository.PathOf("packaging", "examples", example, "balancer.toml");
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
