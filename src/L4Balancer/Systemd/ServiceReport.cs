namespace L4Balancer.Systemd;

/// <summary>
/// What the service manager is told of the daemon's life. After STOPPING=1 a manager that reads READY=1 or RELOADING=1 takes the service
/// for one that runs on (sd_notify(3)), so nothing follows <see cref="Draining"/>. Any thread.
/// </summary>
/// <param name="status">Works out the line that <c>systemctl status</c> shows.</param>
internal sealed class ServiceReport(ServiceNotifications systemd, Func<string> status)
{
    private readonly Lock _gate = new();
    private volatile bool _isDraining;

    public bool IsDraining => _isDraining;

    /// <summary>Connections are taken: from now on, or with another configuration.</summary>
    public void Ready() => UnlessDraining(() => systemd.Ready(status()));

    /// <summary>The configuration is being read again.</summary>
    public void Reloading() => UnlessDraining(systemd.Reloading);

    /// <summary>The status line says something else.</summary>
    public void StatusChanged() => UnlessDraining(() => systemd.Status(status()));

    /// <summary>The orderly end has begun.</summary>
    public void Draining()
    {
        lock (_gate)
        {
            _isDraining = true;
            systemd.Stopping("draining");
        }
    }

    private void UnlessDraining(Action tell)
    {
        lock (_gate)
        {
            if (!_isDraining)
            {
                tell();
            }
        }
    }
}
