using System.Runtime.Versioning;
using L4Balancer.Configuration;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Handover;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Timing;
using L4Balancer.Engine;
using L4Balancer.Engine.Epoll;
using L4Balancer.Engine.Keeper;
using L4Balancer.Engine.Ledger;
using L4Balancer.Engine.Linux;
using L4Balancer.Engine.Listening;
using L4Balancer.Web;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Recovery;

/// <summary>
/// Goes on with what daemons have left that ended without a stop in good order: first their listening sockets, so that no client is
/// refused, then what operators had set, and last the connections. Nothing here lasts long or waits for anybody but the keepers, which
/// answer within milliseconds. One thread at a time.
/// </summary>
[SupportedOSPlatform("linux")]
internal sealed class CrashRecovery : IDisposable
{
    /// <summary>Another heir is done within milliseconds once it listens; this is for one that looks up names before.</summary>
    private static readonly TimeSpan PatienceWithOther = TimeSpan.FromSeconds(10);

    private readonly HeirLock? _alone;
    private readonly List<Predecessor> _left;
    private readonly TimeProvider _clock;
    private readonly ILogger _log;
    private readonly FailedHeirs _heirs;
    private readonly List<ListeningDescriptor> _listening = [];
    private readonly List<NamedDescriptor> _control = [];

    private CrashRecovery(string heirs, HeirLock? alone, List<Predecessor> left, TimeProvider clock, ILogger log)
    {
        _alone = alone;
        _left = left;
        _clock = clock;
        _log = log;
        _heirs = new FailedHeirs(heirs);
    }

    /// <summary>
    /// False: another process has begun to take over and does not come to an end with it. Then only the listening sockets are taken here too, so that
    /// clients are served; the connections are left to the other process, or to a later look once it has ended.
    /// </summary>
    public bool IsAlone => _alone is not null;

    /// <summary>The lowest id that no connection has had; 0: not known.</summary>
    public ulong NextId => _left.Max(static p => p.NextId);

    /// <summary>Looks for daemons that have ended, those of other configurations included. Stale files are removed.</summary>
    /// <remarks>
    /// If it is <see cref="IsAlone"/>, no other process takes anything from the folder until the result is disposed of. Blocks while another one does, for
    /// ten seconds at most.
    /// </remarks>
    /// <returns>Null if nothing is left of any.</returns>
    public static CrashRecovery? Find(ConnectionKeeper keeper, TimeProvider clock, ILogger log)
    {
        if (keeper.Folder is not { } folder || !EndedIn(folder, keeper).Any())
        {
            return null;
        }

        HeirLock? alone = HeirLock.TryTake(folder, PatienceWithOther);
        if (alone is null)
        {
            log.OtherHeir(folder.HeirsLock, PatienceWithOther.TotalSeconds);
        }

        return Open(keeper, folder, alone, clock, log);
    }

    /// <summary>As <see cref="Find"/>, for another look: without waiting, and without a word while another process has begun.</summary>
    /// <param name="isLast">No later look would find anything.</param>
    /// <returns>Null if nothing is left of any, or another process is at it.</returns>
    public static CrashRecovery? FindAgain(ConnectionKeeper keeper, TimeProvider clock, ILogger log, out bool isLast)
    {
        isLast = keeper.Folder is null || !EndedIn(keeper.Folder, keeper).Any();
        HeirLock? alone = isLast ? null : HeirLock.TryTake(keeper.Folder!, TimeSpan.Zero);
        isLast = isLast || alone is not null;
        return alone is null ? null : Open(keeper, keeper.Folder!, alone, clock, log);
    }

    private static CrashRecovery? Open(ConnectionKeeper keeper, KeeperFolder folder, HeirLock? alone, TimeProvider clock, ILogger log)
    {
        List<Predecessor> left = [];
        foreach (LedgerWriter daemon in EndedIn(folder, keeper))
        {
            Predecessor? found = Predecessor.TryOpen(folder, daemon, out string? fault);
            if (found is not null)
            {
                left.Add(found);
                log.PredecessorFound(daemon.Process, found.Keeper, found.ConnectionCount);
                if (found.Fault != LedgerFault.None)
                {
                    log.LedgerNotUsed(daemon.Process, found.Fault);
                }
            }
            else if (fault is not null)
            {
                log.PredecessorNotReached(daemon.Process, fault);
            }
        }

        // Of two that have one connection the later one is right, so it comes first.
        left.Sort(static (a, b) => b.Generation.CompareTo(a.Generation));
        if (left.Count > 0)
        {
            return new CrashRecovery(folder.Heirs, alone, left, clock, log);
        }

        alone?.Dispose();
        return null;
    }

    /// <summary>What operators had set when the last daemon ended; null: its ledger cannot be used.</summary>
    /// <param name="saved">What is in the state file; null: there is none.</param>
    public BackendOverrides? OverridesFor(BalancerConfig config, SavedState? saved) =>
        _left[0].Fault == LedgerFault.None ? LedgerOverrides.For(config, _left[0].Overrides, saved) : null;

    /// <summary>The listening sockets of listeners, for the engine, which owns them when it has started.</summary>
    public IReadOnlyList<ListeningDescriptor> Listening => _listening;

    /// <summary>Those of the control plane.</summary>
    public IReadOnlyList<NamedDescriptor> Control => _control;

    /// <summary>Fetches the listening sockets: first of all, since nobody can bind their addresses before.</summary>
    /// <param name="passed">Sockets that the service manager has passed: the keeper has those as well.</param>
    public void TakeListening(BalancerConfig config, IReadOnlyList<int> passed)
    {
        HashSet<ulong> known = [.. passed.Select(Descriptors.CookieOf)];
        foreach (Predecessor predecessor in _left)
        {
            IReadOnlyList<(int, string, Endpoint)> taken = predecessor.TakeListening(known, IsOfControl, out string? fault);
            foreach ((int descriptor, string listener, Endpoint bound) in taken)
            {
                if (IsOfControl(listener))
                {
                    _control.Add(new NamedDescriptor(listener[1..], descriptor));
                }
                else
                {
                    Endpoint requested = RequestedOf(config, listener, bound);
                    _listening.Add(new ListeningDescriptor(descriptor, listener, requested, bound, IsFromService: false));
                }
            }

            if (fault is not null)
            {
                _log.ListeningNotTaken(predecessor.Daemon.Process, fault);
            }
        }
    }

    /// <summary>Makes ids go on, and gives tables of sticky keys their seeds. Before the first connection is accepted.</summary>
    public void Prepare(RoutingSnapshot snapshot, Survivors survivors)
    {
        if (NextId > 0)
        {
            snapshot.State.ContinueAfter(NextId - 1);
        }

        foreach (LedgerSeeds seeds in _left[0].StickySeeds)
        {
            survivors.TryTakeSticky(snapshot, seeds.Pool, (seeds.First, seeds.Second));
        }
    }

    /// <summary>
    /// Takes the connections, if <see cref="IsAlone"/>: those without doubt are adopted, all others reset. Afterwards the keepers are ended. The daemon
    /// has its own keeper and ledger by then, so that the next one finds each connection once, whenever this one is killed.
    /// </summary>
    /// <param name="records">Gets a record of each connection that is known and reset.</param>
    /// <param name="moving">Of an upgrade whose new process has ended: what this process had given up, and no ledger names.</param>
    public async Task TakeConnectionsAsync(
        IEngine engine, Func<RoutingSnapshot> snapshot, Survivors survivors, IRecordSink records, RecoveryCounters counters,
        IReadOnlyList<MovingConnection> moving)
    {
        if (!IsAlone)
        {
            return;
        }

        Instant begun = Instant.Now(_clock);
        bool adopts = engine.Name == EpollEngine.EngineName;
        bool givesUp = _heirs.Begin(begun);
        if (givesUp)
        {
            _log.HeirsFailed();
        }

        // What this process serves itself comes first. The ledger does not know all of it: it may have had no place, or there is none.
        HashSet<ulong> elsewhere = [.. await engine.CookiesAsync()];

        // A socket that one of them had just taken from another is in the keepers of both, and only in the other's ledger.
        HashSet<ulong> named = [.. elsewhere, .. _left.SelectMany(static p => p.Cookies)];
        foreach (Predecessor predecessor in _left)
        {
            var taking = new ConnectionTaking(engine, snapshot, survivors, records, _clock) { ResetsAll = givesUp || !adopts };
            try
            {
                foreach (IReadOnlyList<LeftConnection> batch in predecessor.Connections(elsewhere.Contains, taking.MostAtOnce))
                {
                    await taking.TakeAsync(batch);
                    predecessor.NoteTaken(batch);
                }
            }
            finally
            {
                counters.Add(taking.Adopted, taking.Reset);
            }

            var moved = new MovingConnections(moving);
            int unnamed = predecessor.ResetUnnamed(named.Contains, IsOfControl, moved.TryTake);
            (int alive, int lost) = await moved.AdoptAsync(engine, snapshot(), survivors);
            counters.Add(alive, lost + unnamed);
            elsewhere.UnionWith(predecessor.Cookies);
            if (!predecessor.End())
            {
                _log.KeeperNotEnded(predecessor.Keeper);
            }

            _log.Recovered(
                predecessor.Daemon.Process, taking.Adopted + alive, taking.Reset + lost + unnamed,
                (Instant.Now(_clock) - begun).TotalMilliseconds);
        }

        _heirs.Done();
    }

    public void Dispose()
    {
        _left.ForEach(static p => p.Dispose());
        _alone?.Dispose();
    }

    private static IEnumerable<LedgerWriter> EndedIn(KeeperFolder folder, ConnectionKeeper keeper) =>
        folder.Daemons().Where(d => d != keeper.Self && !d.IsRunning());

    private static bool IsOfControl(string name) => name.StartsWith(ControlSockets.LedgerMark);

    // The ledger has the address that the kernel knows; the configuration may leave the port to it.
    private static Endpoint RequestedOf(BalancerConfig config, string listener, Endpoint bound)
    {
        IEnumerable<Endpoint> binds = config.Listeners.Where(l => l.Name == listener).SelectMany(static l => l.Bind);
        return bound.IsUnix || binds.Contains(bound) ? bound
            : binds.Where(b => !b.IsUnix && b.Port == 0 && b.Address == bound.Address).Append(bound).First();
    }
}
