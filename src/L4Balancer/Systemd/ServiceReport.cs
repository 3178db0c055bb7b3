using Microsoft.Extensions.Logging;

namespace L4Balancer.Systemd;

/// <summary>
/// What the service manager hears of the daemon's life. Once it drains nothing but the end: after STOPPING=1 a manager that hears READY=1
/// or RELOADING=1 takes the service for one that runs on (sd_notify(3)). Any thread.
/// </summary>
/// <param name="status">Works out the line that <c>systemctl status</c> shows.</param>
internal sealed class ServiceReport(SystemdNotifier systemd, Func<string> status, ILogger log)
{
    private readonly Lock _gate = new();
    private volatile bool _isDraining;

    public bool IsDraining => _isDraining;

    /// <summary>Connections are taken: from now on, or with another configuration.</summary>
    public void Ready() => TellUnlessDraining(() => systemd.Ready(status()));

    /// <summary>The configuration is being read again.</summary>
    public void Reloading() => TellUnlessDraining(systemd.Reloading);

    /// <summary>The status line says something else.</summary>
    public void StatusChanged() => TellUnlessDraining(() => systemd.Status(status()));

    /// <summary>The orderly end has begun.</summary>
    public void Draining()
    {
        lock (_gate)
        {
            _isDraining = true;
            Tell(systemd.Stopping("draining"));
        }
    }

    private void TellUnlessDraining(Func<bool> tell)
    {
        lock (_gate)
        {
            if (!_isDraining)
            {
                Tell(tell());
            }
        }
    }

    private void Tell(bool told)
    {
        if (!told)
        {
            log.ManagerNotTold();
        }
    }
}
