using L4Balancer.Core.Accounting;
using L4Balancer.Core.Routing;

namespace L4Balancer.Systemd;

/// <summary>
/// Reports the state of the daemon to the service manager. After STOPPING=1 a manager that reads READY=1 or RELOADING=1 considers the
/// service running again (sd_notify(3)), so nothing is sent after <see cref="Draining"/>. Any thread.
/// </summary>
/// <param name="status">Computes the line that <c>systemctl status</c> shows.</param>
internal sealed class ServiceReport(ServiceNotifications systemd, Func<string> status)
{
    private readonly Lock _gate = new();
    private volatile bool _isDraining;

    public bool IsDraining => _isDraining;

    /// <summary>Connections are accepted: for the first time, or with another configuration.</summary>
    public void Ready() => UnlessDraining(() => systemd.Ready(status()));

    /// <summary>The configuration is being read again.</summary>
    public void Reloading() => UnlessDraining(systemd.Reloading);

    /// <summary>The content of the status line has changed.</summary>
    public void StatusChanged() => UnlessDraining(() => systemd.Status(status()));

    /// <summary>The orderly stop has begun.</summary>
    public void Draining()
    {
        lock (_gate)
        {
            _isDraining = true;
            systemd.Stopping("draining");
        }
    }

    /// <summary>The line that says what this balancer has.</summary>
    /// <param name="addresses">That it listens at.</param>
    public static string Describe(RoutingSnapshot snapshot, int addresses)
    {
        int backends = snapshot.Pools.Sum(p => p.Backends.Length);
        int up = snapshot.Pools.Sum(p => p.Backends.Count(b => p.StatusOf(b.Index) == BackendStatus.Up));
        return $"{Count(addresses, "address", "addresses")}, {Count(snapshot.Pools.Length, "pool", "pools")}, {up} of {backends} backends up";
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

    private static string Count(int count, string one, string several) => $"{count} {(count == 1 ? one : several)}";
}
