using System.Collections.Immutable;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Config;
using L4Balancer.Core.Fleet;
using L4Balancer.Core.Handover;
using L4Balancer.Core.Health;
using L4Balancer.Core.Pacing;
using L4Balancer.Core.Routing;
using L4Balancer.Discovery;
using L4Balancer.Engine;
using L4Balancer.Engine.Ledger;
using L4Balancer.Engine.Probing;
using L4Balancer.Resolving;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Control;

/// <summary>
/// The control plane: builds its parts, and is the interface through which the rest of the daemon reads what is in force and requests
/// changes. Any thread may call; <see cref="ControlLoop"/> applies one change after the other.
/// </summary>
internal sealed class BalancerControl : IAsyncDisposable
{
    private readonly ControlQueue _queue;
    private readonly SnapshotPublisher _publisher;
    private readonly SlowStarts _slowStarts;
    private readonly PacedCloses _closes;
    private readonly ListenControl _listening;
    private readonly Prober _prober;
    private readonly HealthControl _health;
    private readonly NameControl _names;
    private readonly DiscoveryControl _discovery;
    private readonly Reload _reload;
    private readonly OverrideControl _overrides;
    private readonly PacketControl _packets;
    private readonly ControlLoop _loop;

    /// <param name="first">The state that the engine was started with.</param>
    /// <param name="names">The host names of the configuration.</param>
    /// <param name="discovery">The sources of its pools' backends.</param>
    /// <param name="descriptorLimit">How many descriptors the process may hold.</param>
    /// <param name="path">The file of the configuration; null if it was not read from a file.</param>
    /// <param name="before">
    /// What the process knew whose place this one takes; its health is to be marked in the first snapshot already (<see cref="HealthBoard.Mark(RoutingSnapshot, IEnumerable{CarriedHealth})"/>).
    /// </param>
    /// <param name="packets">What sends on the packets of packet listeners, as it was started for the first snapshot; null: nothing does.</param>
    public BalancerControl(
        ActiveConfig first, IEngine engine, BackendNames names, DiscoveryService discovery, long descriptorLimit, string? path,
        TimeProvider clock, ILoggerFactory loggers, Preparation? before = null, IPacketForwarding? packets = null)
    {
        ILogger log = loggers.CreateLogger<BalancerControl>();
        ControlQueue queue = _queue = new ControlQueue(log);
        PacedCloses closes = _closes = new PacedCloses(engine, first.Snapshot, clock, log);
        _listening = new ListenControl(engine, () => queue.Post(new ListenDue()), clock, log);
        _packets = new PacketControl(packets ?? NoPackets.Instance, () => queue.Post(new PacketsDue()), clock, log);
        _slowStarts = new SlowStarts(first.Snapshot, () => queue.Post(new SlowStartTick()), clock);
        _prober = new Prober(clock, Random.Shared, report => queue.Post(new ProbeReported(report)));
        _health = new HealthControl(
            new HealthBoard { Rising = _slowStarts.Begin, Carried = before?.Health ?? [] }, _prober, OnHealthChanged, () => queue.Post(new TrialDue()), clock,
            loggers.CreateLogger<HealthControl>());
        _names = new NameControl(names, _health.TellIfDead, clock, log, () => queue.Post(new NamesChanged()));
        _discovery = new DiscoveryControl(discovery, names.OwnOf, clock, log, () => queue.Post(new DiscoveryReported()));
        _publisher = new SnapshotPublisher(
            first,
            engine,
            [
                _health, // Marks which backends are down, and carries their health over: all others read it from the snapshot.
                _slowStarts, // Sets the shares of the backends that are up, before the engine gives them connections.
                _closes, // Ends and begins closes by the health and modes that hold now.
                _names, // Logs a pool without an available backend: once, as health has forgotten those that have one again.
                _listening, // Retries what the engine could not bind again.
                _packets, // Notes which packet listeners there are.
                Events, // Its handlers read what all the others have done.
            ]);
        _slowStarts.Continue(before?.SlowStarts ?? []);
        _overrides = new OverrideControl(() => queue.Post(new OverridesEnd()), clock);
        _overrides.Follow(first.Desired);
        _publisher.Complete = _overrides.Complete;
        _publisher.Forward = _packets.Configure;
        _publisher.Changed = _overrides.Follow;
        _discovery.Complain(first.Desired.Discovered);
        _reload = new Reload(_publisher, _names, _discovery, queue, Events, path, descriptorLimit, clock, log);
        _loop = new ControlLoop(_publisher, _health, _slowStarts, _closes, _listening, _names, _discovery, _reload, _overrides, _packets, Events, log);

        void OnHealthChanged(Pool pool, Backend backend)
        {
            closes.HealthChanged(pool, backend);
            Events.OnHealthChanged();
        }
    }

    public ControlEvents Events { get; } = new();

    /// <summary>Keeps over a restart what operators set; null: nothing keeps it. Set before <see cref="Start"/>.</summary>
    public StateWriter? State
    {
        get;
        set
        {
            field = value;
            Follow();
        }
    }

    /// <summary>Keeps over a crash what operators set, and the seeds of sticky tables; null: nothing does. Set before <see cref="Start"/>.</summary>
    public ConnectionLedger? Ledger
    {
        get;
        set
        {
            field = value;
            Follow();
            Note(Now.Desired);
        }
    }

    /// <summary>Shares with the fleet what operators set; null: there is none. Set before <see cref="Start"/>.</summary>
    public IOverrideSharing? Sharing
    {
        get;
        set
        {
            field = value;
            _overrides.FleetId = value?.Id ?? "";
            Follow();
        }
    }

    /// <inheritdoc cref="Reload.FileRead"/>
    public object? FileRead
    {
        get => _reload.FileRead;
        set => _reload.FileRead = value;
    }

    /// <inheritdoc cref="Reload.ReadDependencies"/>
    public Func<BalancerConfig, Action> ReadDependencies
    {
        get => _reload.ReadDependencies;
        set => _reload.ReadDependencies = value;
    }

    /// <summary>The configuration in force: the file's, except for values that need a restart.</summary>
    public BalancerConfig Config => _publisher.Now.Config;

    public RoutingSnapshot Snapshot => _publisher.Now.Snapshot;

    /// <summary>All of the state in force; one read gives consistent parts.</summary>
    public ActiveConfig Now => _publisher.Now;

    /// <inheritdoc cref="SnapshotPublisher.Participants"/>
    internal IReadOnlyList<ISnapshotParticipant> Participants => _publisher.Participants;

    /// <summary>Begins to apply changes. Called once, after the handlers of <see cref="Events"/> are attached.</summary>
    public void Start()
    {
        Snapshot.ConnectReports.Handler = (state, news) => _queue.Post(new ConnectReported(state, news));

        // Replays reports of failing backends: the engine accepted connections before the control plane subscribed, and each failure is
        // reported only once. Backends without such a report are not affected.
        foreach (Backend backend in Snapshot.Pools.SelectMany(p => p.Backends))
        {
            _queue.Post(new ConnectReported(backend.State, PassiveHealthEvent.Failing));
        }

        _queue.Start(_loop.Apply);
    }

    /// <summary>
    /// Reads the file again and puts it in force; established connections stay as they are. An invalid file changes nothing.
    /// </summary>
    /// <param name="who">The origin of the request, for the log.</param>
    /// <exception cref="ObjectDisposedException">The daemon is stopping.</exception>
    public Task<ReloadResult> ReloadAsync(string who) => _reload.RunAsync(who);

    /// <summary>Reports that host names resolve to other addresses than before. Any thread; never blocks.</summary>
    public void NamesChanged() => _names.Changed();

    /// <summary>Reports that other sets of backends are believed than before. Any thread; never blocks.</summary>
    public void DiscoveryChanged() => _discovery.Changed();

    /// <inheritdoc cref="DiscoveryService.Of"/>
    public DiscoveryStatus? DiscoveryOf(string pool) => _discovery.Of(pool);

    /// <summary>The store of the fleet has been read: its intents hold from now on, with what was set here later. Any thread; never blocks.</summary>
    /// <param name="isRestarted">Whether it has lost what it had before.</param>
    public void IntentsRead(FleetIntents intents, bool isRestarted) => _queue.Post(new IntentsRead(intents, isRestarted));

    /// <summary>The other balancers' views of the backends; null: this one decides alone. Any thread; never blocks.</summary>
    public void PeersChanged(PeerViews? peers) => _queue.Post(new PeersChanged(peers));

    /// <summary>The paced close of this backend that is in progress; null: none.</summary>
    public Shedding? SheddingOf(BackendState state) => _closes.Of(state);

    /// <summary>The rebalance of this pool that runs; null: none.</summary>
    public Rebalance? RebalanceOf(PoolState pool) => _closes.RebalanceOf(pool);

    /// <param name="rate">How fast its established connections are closed; null: they stay.</param>
    /// <param name="lasts">How long the mode holds; null: until another one is set.</param>
    /// <returns>False if there is no such backend.</returns>
    public async Task<bool> SetModeAsync(
        string pool, string backend, BackendMode mode, string who, CloseRate? rate = null, TimeSpan? lasts = null) =>
        await SavedAsync(await _queue.AskAsync(new ModeSet(pool, backend, mode, rate, who, lasts)));

    /// <param name="weight">0 to 1000.</param>
    /// <returns>False if there is no such backend.</returns>
    /// <exception cref="InvalidOperationException">The engine did not accept the snapshot; nothing was changed.</exception>
    public async Task<bool> SetWeightAsync(string pool, string backend, int weight, string who, TimeSpan? lasts = null) =>
        await SavedAsync(await _queue.AskAsync(new WeightSet(pool, backend, weight, who, lasts)));

    /// <summary>Begins to close the established connections that match a filter.</summary>
    /// <param name="pools">The pools that have such connections, with the <c>close_rate</c> under which the connections were accepted.</param>
    /// <param name="count">How many connections match, for the log.</param>
    /// <param name="perSecond">Null: the <c>close_rate</c> of each pool.</param>
    public Task CloseMatchingAsync(
        CloseFilter filter, IReadOnlyDictionary<PoolState, int> pools, int count, int? perSecond, string who) =>
        _queue.AskAsync(new ConnectionsClosed(filter, pools, count, perSecond, who));

    /// <summary>Begins to move a pool's backends to their fair shares.</summary>
    /// <param name="perSecond">Null: the pool's <c>close_rate</c>.</param>
    /// <returns>The plan; null if there is no such pool.</returns>
    public Task<RebalancePlan?> RebalanceAsync(string pool, double tolerance, int? perSecond, string who) =>
        _queue.AskAsync(new RebalanceStarted(pool, tolerance, perSecond, who));

    /// <summary>Stops the rebalance of a pool: connections that are not closed yet stay, and new ones go where <c>balance</c> sends them.</summary>
    public Task<RebalanceEnd> StopRebalanceAsync(string pool, string who) => _queue.AskAsync(new RebalanceStopped(pool, who));

    /// <summary>What another process needs to go on with this one's work.</summary>
    public Task<ControlKnowledge> KnownAsync() => _queue.AskAsync(new KnowledgeAsked());

    /// <summary>
    /// Follows what operators have set in the other process after this one was prepared: an order to drain that was answered there must hold here.
    /// </summary>
    /// <param name="later">Taken when the other process had stopped to take orders.</param>
    public Task CatchUpAsync(Preparation later) => _queue.AskAsync(new PreparationCame(later));

    /// <summary>Puts into force what came over for names that the configuration does not have, so that it is shown and kept.</summary>
    /// <returns>As <see cref="IEngine.Publish"/>.</returns>
    public Task<IReadOnlyList<ListenFailure>> JoinAsync(Survivors survivors) => _queue.AskAsync(new SurvivorsCame(survivors));

    /// <summary>Goes on with what another process was closing, once all of its connections have come over.</summary>
    /// <param name="filterOf">Makes a filter of its parts; null if it is not known.</param>
    /// <returns>How many orders go on; the others have no cause any more, or are not known.</returns>
    public Task<int> ContinueShedsAsync(
        IReadOnlyList<CarriedShed> sheds, Func<ImmutableArray<(string Part, string Value)>, CloseFilter?> filterOf) =>
        _queue.AskAsync(new ShedsCame(sheds, filterOf));

    // Who has set something is answered when it would outlive a crash.
    private async Task<bool> SavedAsync(bool found)
    {
        if (State is not null)
        {
            await State.SavedAsync();
        }

        if (found && Sharing is not null)
        {
            await Sharing.SharedAsync();
        }

        return found;
    }

    private void Follow() => _publisher.Changed = desired =>
    {
        _overrides.Follow(desired);
        State?.Follow(desired);
        Sharing?.Follow(desired);
        Note(desired);
    };

    // Stores, and no system call: done with each change of anything.
    private void Note(DesiredState desired)
    {
        if (Ledger is not { } ledger)
        {
            return;
        }

        ledger.SetOverrides(desired.Overrides.All);
        foreach (Pool pool in Snapshot.Pools)
        {
            if (pool.Sticky is { } sticky)
            {
                ledger.SetStickySeeds(pool.Name, sticky.Seeds.First, sticky.Seeds.Second);
            }
        }
    }

    /// <summary>Ends probes and changes; changes posted before are applied first.</summary>
    public async ValueTask DisposeAsync()
    {
        _reload.Dispose();
        _names.Dispose();
        _discovery.Dispose();
        await _prober.DisposeAsync();
        await _health.DisposeAsync();
        await _slowStarts.DisposeAsync();
        await _overrides.DisposeAsync();
        await _listening.DisposeAsync();
        await _packets.DisposeAsync();
        await _queue.DisposeAsync();
        await _closes.DisposeAsync();
    }
}
