using L4Balancer.Control;
using L4Balancer.Engine;
using L4Balancer.Platform;
using L4Balancer.Systemd;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Hosting;

/// <summary>What the service manager learns of this daemon from the time on when it is the main process of the service. One thread at a time.</summary>
internal sealed class ServiceManagerLink(ServiceNotifications systemd, ServiceReport service, TimeProvider clock, ILoggerFactory loggers)
    : IAsyncDisposable
{
    private readonly OwnedResources _parts = new();
    private StopExtension? _stopExtension;

    /// <summary>This is the main process, and ready.</summary>
    public void BecomeMain(BalancerControl control, IEngine engine)
    {
        if (systemd.IsEnabled)
        {
            Start(control, engine);
        }

        service.Ready();
    }

    /// <summary>A stop begins.</summary>
    /// <param name="within">It lasts at most so long.</param>
    public void Draining(TimeSpan within)
    {
        service.Draining();
        _stopExtension?.Begin(within);
    }

    public ValueTask DisposeAsync() => _parts.DisposeAsync();

    private void Start(BalancerControl control, IEngine engine)
    {
        var statusLine = new StatusLine(service.StatusChanged, clock);
        _parts.Own(statusLine);
        control.Events.HealthChanged += statusLine.Change;
        _parts.Own(_stopExtension = new StopExtension(systemd, clock));
        if (Watchdog.TimeFrom(Environment.GetEnvironmentVariable, Environment.ProcessId) is TimeSpan time)
        {
            _parts.Own(new Watchdog(systemd, engine.PingLoopsAsync, time, clock, loggers.CreateLogger<Watchdog>()));
        }
    }
}
