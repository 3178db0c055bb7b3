using System.Net;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Timing;

namespace L4Balancer.Engine.Probing;

/// <summary>One backend that is probed, until a snapshot no longer contains it. Used by the prober's loop only.</summary>
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

    /// <summary>From the newest snapshot, like <see cref="Backend"/>.</summary>
    public Pool Pool { get; private set; }

    public Backend Backend { get; private set; }

    public ProbePlan Plan { get; private set; }

    /// <summary>The exchange that follows the connect; null if there is none.</summary>
    public Exchange? Exchange => Plan.HasExchange ? _exchange ??= new Exchange(Plan, Backend.Settings.Address, Remote.Port) : null;

    /// <summary>The backend's address, with the port that health checks use.</summary>
    public IPEndPoint Remote { get; }

    /// <summary>The probe in flight, or null.</summary>
    public Probe? Running { get; set; }

    public Instant StartedAt { get; set; }

    /// <summary>
    /// When the loop has to look at this target: the next probe is due or, while one is in flight, its deadline. An entry of the agenda
    /// with another time is stale.
    /// </summary>
    public Instant LookAt { get; set; } = Instant.Never;

    /// <summary>The newest snapshot does not contain the backend.</summary>
    public bool IsGone { get; set; }

    /// <summary>No probe is in flight, and the next one is scheduled.</summary>
    public bool IsWaiting => Running is null && LookAt != Instant.Never;

    public bool IsProbedAt(Backend backend, ProbePlan plan) => _endpoint == EndpointOf(backend, plan);

    /// <summary>Takes over the same backend from a newer snapshot.</summary>
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
