using System.Net;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Timing;

namespace L4Balancer.Engine.Probing;

/// <summary>One backend that is probed, from the snapshot that brought it to the one that no longer has it. Only the prober's loop touches it.</summary>
internal sealed class ProbeTarget
{
    private readonly Endpoint _endpoint;
    private Exchange? _exchange;

    public ProbeTarget(Pool pool, Backend backend, ProbePlan plan)
    {
        Pool = pool;
        Backend = backend;
        Plan = plan;
        _endpoint = EndpointOf(backend, plan);
        Remote = _endpoint.ToIPEndPoint();
    }

    /// <summary>Of the newest snapshot, as <see cref="Backend"/>.</summary>
    public Pool Pool { get; private set; }

    public Backend Backend { get; private set; }

    public ProbePlan Plan { get; private set; }

    /// <summary>What follows the connect; null: nothing.</summary>
    public Exchange? Exchange => Plan.HasExchange ? _exchange ??= new Exchange(Plan, Backend.Settings.Address, Remote.Port) : null;

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

    /// <summary>It has no probe in flight, and waits for the time of the next.</summary>
    public bool IsWaiting => Running is null && LookAt != Instant.Never;

    public bool IsProbedAt(Backend backend, ProbePlan plan) => _endpoint == EndpointOf(backend, plan);

    /// <summary>The same backend in a newer snapshot.</summary>
    /// <returns>Whether it is now probed at another interval.</returns>
    public bool Follow(Pool pool, Backend backend, ProbePlan plan)
    {
        bool otherInterval = plan.Settings.Interval != Plan.Settings.Interval;
        _exchange = plan == Plan ? _exchange : null;
        (Pool, Backend, Plan) = (pool, backend, plan);
        return otherInterval;
    }

    private static Endpoint EndpointOf(Backend backend, ProbePlan plan) =>
        plan.Settings.Port == 0 ? backend.Endpoint : new Endpoint(backend.Endpoint.Address, (ushort)plan.Settings.Port);
}
