using System.Net;
using L4Balancer.Core.Health;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Timing;

namespace L4Balancer.Engine.Probing;

/// <summary>One backend that is probed, from the snapshot that brought it to the one that no longer has it. Only the prober's loop touches it.</summary>
internal sealed class ProbeTarget
{
    public ProbeTarget(Pool pool, Backend backend, ProbeSchedule schedule)
    {
        Pool = pool;
        Backend = backend;
        Schedule = schedule;
        Remote = backend.Endpoint.ToIPEndPoint();
        Remote.Port = PortOf(pool, backend);
    }

    /// <summary>Of the newest snapshot, as <see cref="Backend"/>.</summary>
    public Pool Pool { get; private set; }

    public Backend Backend { get; private set; }

    public ProbeSchedule Schedule { get; private set; }

    /// <summary>The backend's address, with the port that health checks use.</summary>
    public IPEndPoint Remote { get; }

    /// <summary>The probe in flight.</summary>
    public Probe? Running { get; set; }

    public Instant StartedAt { get; set; }

    /// <summary>
    /// When the loop looks here again: the next probe is due or, while one is in flight, its deadline. An entry of the agenda for
    /// another time is a leftover.
    /// </summary>
    public Instant LookAt { get; set; } = Instant.Never;

    /// <summary>The newest snapshot does not have it.</summary>
    public bool IsGone { get; set; }

    public bool IsProbedAt(Pool pool, Backend backend) =>
        Backend.Endpoint.Address == backend.Endpoint.Address && Remote.Port == PortOf(pool, backend);

    /// <summary>The same backend in a newer snapshot.</summary>
    /// <returns>Whether it is now probed at another interval.</returns>
    public bool Follow(Pool pool, Backend backend, ProbeSchedule schedule)
    {
        bool otherInterval = pool.Settings.Health.Interval != Pool.Settings.Health.Interval;
        (Pool, Backend, Schedule) = (pool, backend, schedule);
        return otherInterval;
    }

    private static int PortOf(Pool pool, Backend backend) =>
        pool.Settings.Health.Port != 0 ? pool.Settings.Health.Port : backend.Endpoint.Port;
}
