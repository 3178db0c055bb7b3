using System.Collections.Frozen;
using L4Balancer.Admin.Answers;
using L4Balancer.Control;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Health;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Timing;
using L4Balancer.Metrics;
using L4Balancer.Packets;

namespace L4Balancer.Admin;

/// <summary>The state of the backends as the API reports it. Each answer is created when it is written.</summary>
internal sealed class BackendReport
{
    private static readonly FrozenDictionary<string, long> NoReasons = FrozenDictionary<string, long>.Empty;

    private readonly DateTimeOffset _now;
    private readonly Instant _instant;
    private readonly Func<BackendState, Shedding?> _shedding;
    private readonly BackendOverrides _overrides;
    private readonly bool _isFleet;
    private readonly PacketTotals _packets;

    public BackendReport(AdminTarget target)
    {
        _now = target.Clock.GetUtcNow();
        _instant = Instant.Now(target.Clock);
        _shedding = target.Control.SheddingOf;
        _overrides = target.Control.Now.Desired.Overrides;
        _isFleet = target.Fleet is not null;
        _packets = target.Packets();
    }

    /// <summary>The backends of the configuration in its order, then removed ones that still have connections.</summary>
    public IEnumerable<BackendAnswer> All(RoutingSnapshot snapshot)
    {
        foreach (Pool pool in snapshot.Pools)
        {
            var shares = new FairShares(pool);
            foreach (Backend backend in pool.Backends)
            {
                yield return Of(pool, shares, backend);
            }
        }

        foreach (Backend backend in Leaving(snapshot))
        {
            yield return OfRemoved(backend);
        }
    }

    /// <summary>
    /// One backend; also one that has left the configuration, even if its last connection has ended meanwhile. Null if it does not exist.
    /// </summary>
    public BackendAnswer? Find(RoutingSnapshot snapshot, string pool, string name)
    {
        if (snapshot.Pools.FirstOrDefault(p => p.Name == pool) is Pool found
            && found.Backends.FirstOrDefault(b => b.Name == name) is Backend member)
        {
            return Of(found, new FairShares(found), member);
        }

        return snapshot.Removed.Backends.Where(b => b.State.Pool == pool && b.Name == name).MaxBy(b => b.State.Active) is Backend removed
            ? OfRemoved(removed) : null;
    }

    public static string NameOf(BackendStatus status) => status switch
    {
        BackendStatus.Up => "up",
        BackendStatus.Degraded => "degraded",
        BackendStatus.Down => "down",
        BackendStatus.Draining => "draining",
        BackendStatus.Checking => "checking",
        _ => "maintenance",
    };

    private static IEnumerable<Backend> Leaving(RoutingSnapshot snapshot) => snapshot.Removed.Backends.Where(b => b.State.Active > 0);

    private BackendAnswer Of(Pool pool, FairShares shares, Backend backend)
    {
        double ratio = shares.RatioOf(backend);
        return Of(
            backend, pool.StatusOf(backend.Index), double.IsFinite(ratio) ? Math.Round(ratio, 4) : null, pool.StillTakes(backend.Index, trial: 0),
            inConfiguration: true);
    }

    private BackendAnswer OfRemoved(Backend backend) => Of(backend, BackendStatus.Draining, null, takes: false, inConfiguration: false);

    private BackendAnswer Of(Backend backend, BackendStatus status, double? share, bool takes, bool inConfiguration)
    {
        BackendState state = backend.State;
        BackendOverride set = inConfiguration ? _overrides[state.Pool, backend.Name] : default;
        return new BackendAnswer(
            state.Pool, backend.Name, backend.Settings.Address, backend.IsResolved ? backend.Endpoint.ToString() : null,
            backend.IsResolved && state.NameFault.Length == 0, state.NameFault,
            backend.Settings.Host?.Host, NameOf(status), TimeOf(state.StatusSince), SecondsSince(state.StatusSince), takes,
            backend.Weight, backend.Settings.Backup, state.Active, share, state.ConnectAttempts,
            Reasons(state.ConnectFailures), Reasons(state.Closed), Reasons(state.Shed), Of(_shedding(state)),
            state.BytesToBackend, state.BytesToClient, Of(state.Health), inConfiguration,
            FleetReport.Of(set.ModeOrigin, _isFleet), FleetReport.Of(set.WeightOrigin, _isFleet),
            Packets: inConfiguration && _packets.OfBackend(state.Pool, backend.Name) is PacketCount sent
                ? new PacketBackendAnswer(sent.Packets, sent.Bytes, sent.Mac) : null);
    }

    private static SheddingAnswer? Of(Shedding? shedding) =>
        shedding is null ? null : new SheddingAnswer(shedding.Reason.Name(), shedding.Planned, shedding.Closed);

    private HealthAnswer Of(HealthCounters health) => new(
        health.Succeeded, health.Failed, health.LocalErrors, health.Transitions, TimeOf(health.LastTransition), health.Detail,
        health.Last is LastProbe last
            ? new ProbeAnswer(WallTime(last.At), NameOf(last.Outcome), last.Detail)
            : null);

    private DateTime WallTime(Instant at) => (_now - (_instant - at)).UtcDateTime;

    // Zero stands for a time that is not known.
    private DateTime? TimeOf(Instant at) => at.Ticks == 0 ? null : WallTime(at);

    // Another thread may have set it after this report took the time.
    private double? SecondsSince(Instant at) => at.Ticks == 0 ? null : Math.Max(0, Math.Round((_instant - at).TotalSeconds, 3));

    private static string NameOf(ProbeOutcome outcome) => outcome switch
    {
        ProbeOutcome.Success => "success",
        ProbeOutcome.Failure => "failure",
        ProbeOutcome.Unfit => "unfit",
        _ => "local_error",
    };

    private static IReadOnlyDictionary<string, long> Reasons(ReasonCounters counters) =>
        counters.Total == 0 ? NoReasons : ReasonCounts.Of(counters);
}
