using System.Collections.Immutable;
using L4Balancer.Configuration;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Fleet;
using L4Balancer.Core.Handover;
using L4Balancer.Core.Health;
using L4Balancer.Core.Pacing;
using L4Balancer.Core.Routing;
using L4Balancer.Engine;
using L4Balancer.Engine.Probing;

namespace L4Balancer.Control;

/// <summary>
/// One input of the control loop: a report, a timer that is due, or a request. Any thread may create one and post it to the <see
/// cref="ControlQueue"/>; only <see cref="ControlLoop"/> applies it.
/// </summary>
internal abstract record Change
{
    /// <summary>Called when applying the change has thrown.</summary>
    /// <returns>Whether the exception was passed to a caller; otherwise it is logged.</returns>
    public virtual bool TryFail(Exception exception) => false;
}

/// <summary>A change whose caller waits for the result.</summary>
internal abstract record Request<T> : Change
{
    private readonly TaskCompletionSource<T> _result = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes when the change has been applied; fails with the exception if applying it has thrown.</summary>
    public Task<T> Result => _result.Task;

    public void Complete(T result) => _result.SetResult(result);

    public override bool TryFail(Exception exception) => _result.TrySetException(exception);
}

/// <summary>A probe has ended.</summary>
internal sealed record ProbeReported(ProbeReport Report) : Change;

/// <summary>The connect health of a backend, as clients' connects report it, has changed.</summary>
internal sealed record ConnectReported(BackendState Backend, PassiveHealthEvent News) : Change;

/// <summary>A backend that failed connects have taken down may be due for a trial connection.</summary>
internal sealed record TrialDue : Change;

/// <summary>An address that could not be bound when its pool came back is due to be tried again.</summary>
internal sealed record ListenDue : Change;

/// <summary>What packet listeners choose by has changed a moment ago.</summary>
internal sealed record PacketsDue : Change;

/// <summary>The shares of the backends in slow start are due to grow.</summary>
internal sealed record SlowStartTick : Change;

/// <summary>Host names resolve to other addresses than before, or fail for another reason.</summary>
internal sealed record NamesChanged : Change;

/// <summary>Sources of backends have other sets than before that are believed.</summary>
internal sealed record DiscoveryReported : Change;

/// <summary>The configuration file is about to be read.</summary>
internal sealed record ReloadBegun : Request<bool>;

/// <summary>The configuration file has been read.</summary>
/// <param name="Who">The origin of the request, for the log.</param>
internal sealed record ReloadRead(ReadConfig Read, string Who) : Request<ReloadResult>;

/// <summary>An operator sets the mode of a backend. The result is false if there is no such backend.</summary>
/// <param name="CloseRate">How fast its established connections are closed; null: they stay.</param>
/// <param name="For">How long the mode holds; null: until another one is set.</param>
internal sealed record ModeSet(string Pool, string Backend, BackendMode Mode, CloseRate? CloseRate, string Who, TimeSpan? For = null) : Request<bool>;

/// <summary>An operator sets the weight of a backend. The result is false if there is no such backend.</summary>
/// <param name="For">How long the weight holds; null: until another one is set.</param>
internal sealed record WeightSet(string Pool, string Backend, int Weight, string Who, TimeSpan? For = null) : Request<bool>;

/// <summary>A mode or a weight that was set for a limited time may have ended.</summary>
internal sealed record OverridesEnd : Change;

/// <summary>What the store of the fleet says that operators want, all of it; the keys are pool and backend.</summary>
/// <param name="IsRestarted">Whether the store has lost what it had: what was shared is to be shared again, and holds meanwhile.</param>
internal sealed record IntentsRead(FleetIntents Intents, bool IsRestarted) : Change;

/// <summary>What the other balancers say of the backends has changed.</summary>
/// <param name="Peers">Null: this balancer decides alone.</param>
internal sealed record PeersChanged(PeerViews? Peers) : Change;

/// <summary>An operator closes the connections that match a filter.</summary>
/// <param name="Pools">The pools that have such connections, with the <c>close_rate</c> under which the connections were accepted.</param>
/// <param name="Count">How many connections match.</param>
/// <param name="PerSecond">Null: the <c>close_rate</c> of each pool.</param>
internal sealed record ConnectionsClosed(
    CloseFilter Filter, IReadOnlyDictionary<PoolState, int> Pools, int Count, int? PerSecond, string Who) : Request<bool>;

/// <summary>An operator stops a rebalance.</summary>
internal sealed record RebalanceStopped(string Pool, string Who) : Request<RebalanceEnd>;

/// <summary>The result of stopping a rebalance.</summary>
/// <param name="Closed">How many connections it has closed; null if none was running.</param>
internal sealed record RebalanceEnd(bool PoolExists, long? Closed);

/// <summary>An operator starts a rebalance. The result is null if there is no such pool.</summary>
/// <param name="PerSecond">Null: the pool's <c>close_rate</c>.</param>
internal sealed record RebalanceStarted(string Pool, double Tolerance, int? PerSecond, string Who) : Request<RebalancePlan?>;

/// <summary>Another process asks what the control plane knows, to go on with it.</summary>
internal sealed record KnowledgeAsked : Request<ControlKnowledge>;

/// <summary>Connections or counters of another process have come over that belong to names which the configuration does not have.</summary>
internal sealed record SurvivorsCame(Survivors Survivors) : Request<IReadOnlyList<ListenFailure>>;

/// <summary>All connections of another process have come over: what it was closing is closed here. The result is how many orders go on.</summary>
/// <param name="FilterOf">Makes a filter of its parts; null if it is not known.</param>
internal sealed record ShedsCame(
    IReadOnlyList<CarriedShed> Sheds, Func<ImmutableArray<(string Part, string Value)>, CloseFilter?> FilterOf) : Request<int>;

/// <summary>What operators have set in another process since this one was prepared.</summary>
internal sealed record PreparationCame(Preparation Later) : Request<bool>;
