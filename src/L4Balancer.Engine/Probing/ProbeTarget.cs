using System.Collections.Immutable;
using System.Net;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Health;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Timing;
using L4Balancer.Engine.Sockets;

namespace L4Balancer.Engine.Probing;

/// <summary>One backend that is probed, until a snapshot no longer contains it. Used by the prober's loop only.</summary>
internal sealed class ProbeTarget
{
    /// <summary>
    /// How many other addresses are probed before the backend is judged, because each may take the whole timeout. The next time it is the
    /// next ones' turn.
    /// </summary>
    private const int MostOthers = 2;

    private readonly Endpoint _endpoint;
    private readonly EndPoint _home;
    private ProbeVerdict _ofHome;
    private int _others;
    private int _nextOther;
    private Exchange? _exchange;

    public ProbeTarget(Pool pool, Backend backend, ProbePlan plan)
    {
        Pool = pool;
        Backend = backend;
        Plan = plan;
        _endpoint = EndpointOf(backend, plan);
        _home = SocketEndPoint.Of(_endpoint);
        (Address, Remote) = (_endpoint.Address, _home);
    }

    /// <summary>From the newest snapshot, like <see cref="Backend"/>.</summary>
    public Pool Pool { get; private set; }

    public Backend Backend { get; private set; }

    public ProbePlan Plan { get; private set; }

    /// <summary>The exchange that follows the connect; null if there is none.</summary>
    public Exchange? Exchange => Plan.HasExchange ? _exchange ??= new Exchange(Plan, Backend.Settings.Address, _endpoint.Port) : null;

    /// <summary>The address that is probed: the backend's, or another one of its name after that one has failed.</summary>
    public HostAddress Address { get; private set; }

    /// <summary>The same with the port that health checks use.</summary>
    public EndPoint Remote { get; private set; }

    public bool IsUnix => _endpoint.IsUnix;

    /// <summary>
    /// The PROXY header that begins an exchange. None at a port of its own: what answers there is not what clients are sent to.
    /// </summary>
    public SendProxy SendProxy => _endpoint == Backend.Endpoint ? Pool.Settings.SendProxy : SendProxy.None;

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

    /// <summary>
    /// The probe of <see cref="Address"/> has ended. Where it could not connect, and the backend is down or about to be, the next address of
    /// its name is probed before the backend is judged.
    /// </summary>
    /// <param name="verdict">In: of the probe. Out: of the backend; that of its own address unless another one is good.</param>
    /// <param name="address">The address that the verdict is about.</param>
    /// <returns>Whether a verdict is reached; if not, another address is to be probed at once.</returns>
    public bool TryConclude(ref ProbeVerdict verdict, out HostAddress address)
    {
        _ofHome = _others == 0 ? verdict : _ofHome;
        bool isOpen = _others > 0
            ? verdict.Outcome != ProbeOutcome.Success : verdict.Outcome == ProbeOutcome.Failure && !Backend.State.Health.KeepsAddress;
        ImmutableArray<HostAddress> others = Backend.OtherAddresses;
        if (isOpen && _others < Math.Min(others.Length, MostOthers))
        {
            _others++;
            address = Address = others[_nextOther++ % others.Length];
            Remote = new IPEndPoint(Address.ToIPAddress(), _endpoint.Port);
            return false;
        }

        bool isGood = verdict.Outcome == ProbeOutcome.Success;
        address = isGood ? Address : _endpoint.Address;
        verdict = isGood ? verdict : _ofHome;
        (Address, Remote, _others) = (_endpoint.Address, _home, 0);
        return true;
    }

    /// <summary>Takes over the same backend from a newer snapshot.</summary>
    /// <returns>Whether it is now probed at another interval.</returns>
    public bool Sync(Pool pool, Backend backend, ProbePlan plan)
    {
        bool otherInterval = plan.Settings.Interval != Plan.Settings.Interval;
        _exchange = plan == Plan && backend.Settings.Address == Backend.Settings.Address ? _exchange : null;
        (Pool, Backend, Plan) = (pool, backend, plan);
        return otherInterval;
    }

    private static Endpoint EndpointOf(Backend backend, ProbePlan plan) =>
        plan.Settings.Port == 0 || backend.Endpoint.IsUnix ? backend.Endpoint : new Endpoint(backend.Endpoint.Address, (ushort)plan.Settings.Port);
}
