using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Routing;
using L4Balancer.Engine.Listening;
using L4Balancer.Engine.Loop;
using L4Balancer.Engine.Shedding;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Engine.Epoll;

/// <summary>
/// The engine for Linux (5.4 and later): one thread per processor on epoll(7), connections as values in arrays, no allocation in steady
/// state. This class is its public interface: requests of other threads are posted to the workers, which own all connection state.
/// </summary>
public sealed class EpollEngine : IEngine, ILoopEngine
{
    private readonly List<Worker> _workers = [];
    private readonly EngineOptions _options;
    private readonly ILogger _log;
    private volatile RoutingSnapshot? _snapshot;
    private readonly ListeningSockets<LoopListeningSocket> _listening;
    private readonly AcceptControl _accepting;
    private readonly Shedder _shedding;
    private readonly LoopStop _stop;

    public EpollEngine(EngineOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        _options = options;
        _log = new FaultTolerantLogger(options.Loggers.CreateLogger<EpollEngine>());
        _accepting = new AcceptControl(_workers, options.Ledger, _log);
        _shedding = new Shedder(new LoopShedding(_workers), options.Clock);
        _listening = new ListeningSockets<LoopListeningSocket>(_accepting, options, _log);
        _stop = new LoopStop(_workers, _listening.EndAsync, _shedding, options.Clock);
    }

    /// <summary>As in the configuration.</summary>
    public const string EngineName = "epoll";

    public string Name => EngineName;

    public int Count => _workers.Sum(w => w.Assigned);

    public IReadOnlyList<Endpoint> Bound => _listening.Bound;

    EngineOptions ILoopEngine.Options => _options;

    ILogger ILoopEngine.Log => _log;

    RoutingSnapshot ILoopEngine.Snapshot => _snapshot!;

    bool ILoopEngine.IsStopping => _stop.HasBegun;

    internal IReadOnlyList<Worker> Workers => _workers;

    internal IStopSteps StopSteps => _stop;

    internal IReadOnlyList<LoopListeningSocket> Listening => _listening.Serving;

    public IReadOnlyList<ListenFailure> Start(RoutingSnapshot snapshot)
    {
        ArgumentNullException.ThrowIfNull(snapshot);
        _snapshot = snapshot;
        if (StartWorkers() is { } fault)
        {
            return [fault];
        }

        BeginNoting(snapshot);

        IReadOnlyList<ListenFailure> failures = _listening.Start(snapshot);
        if (failures.Count > 0)
        {
            DropWorkers();
            return failures;
        }

        // Once this completes, every worker watches the sockets.
        PingLoopsAsync().GetAwaiter().GetResult();
        return [];
    }

    public IReadOnlyList<ListenFailure> Publish(RoutingSnapshot snapshot)
    {
        ArgumentNullException.ThrowIfNull(snapshot);
        IReadOnlyList<ListenFailure> failures = _listening.Publish(snapshot);
        if (failures.Count == 0)
        {
            _snapshot = snapshot;
            NoteSeeds(snapshot);
        }

        return failures;
    }

    public IReadOnlyList<ListenFailure> FollowPools() => _listening.FollowPools();

    public void List(Action<OpenConnection> visit)
    {
        ArgumentNullException.ThrowIfNull(visit);
        ConnectionScan.List(_workers, visit);
    }

    public Task ReportLivingAsync(TimeSpan over, CancellationToken cancel) =>
        ConnectionScan.ReportAsync(_workers, new SlicePace(over, Count, _options.Clock), cancel);

    public IReadOnlyList<WorkerLoad> LoopStatistics() =>
        [.. _workers.Select(w => new WorkerLoad(w.Number, w.Assigned, w.Clock.Total, w.Stalls, w.Transfer.Spliced))];

    public long HeldBytes => _options.Held.Used;

    public Task PingLoopsAsync() => Task.WhenAll(_workers.Select(w => w.AskAsync(static _ => true, afterwards: true)));

    public bool Close(ulong id, CloseReason reason) => ConnectionScan.Close(_workers, id, reason);

    public Task<int> ShedAsync(ShedOrder order, CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(order);
        return _shedding.ShedAsync(order, cancel);
    }

    public int Connecting => _workers.Sum(w => w.Connecting);

    public async Task<FrozenSlice?> FreezeAsync(int most, CancellationToken cancel)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(most, 1);
        return await LoopSlice.FreezeAsync(_workers, most, cancel).ConfigureAwait(true);
    }

    public async Task<IReadOnlyList<AdoptFailure>> AdoptAsync(IReadOnlyList<ExportedConnection> connections)
    {
        Dictionary<Worker, List<ExportedConnection>> shares = AdoptionShares.Of(_workers, connections);
        List<AdoptFailure>[] failures = await Task
            .WhenAll(shares.Select(s => AdoptionShares.AdoptAsync(this, s.Key, s.Value))).ConfigureAwait(false);
        return [.. failures.SelectMany(f => f)];
    }

    public async Task<FrozenSlice> TakeFrozenAsync(IReadOnlyList<ExportedConnection> connections) =>
        await LoopSlice.TakeAsync(AdoptionShares.Of(_workers, connections)).ConfigureAwait(true);

    public IReadOnlyList<ListeningDescriptor> ListeningDescriptors => _listening.Descriptors;

    public Task<IReadOnlySet<ulong>> CookiesAsync() => ConnectionScan.CookiesAsync(_workers);

    public void ShareListening() => _listening.Suspend();

    public Task StopAcceptingAsync()
    {
        _listening.Suspend();
        return _accepting.SuspendAsync();
    }

    public void ResumeAccepting()
    {
        _listening.Resume();
        _accepting.Restart();
    }

    public async Task StopAsync(TimeSpan grace, CancellationToken atOnce)
    {
        await EngineStop.RunAsync(_stop, grace, _options.Clock, _log, atOnce).ConfigureAwait(false);
        _stop.EndWorkers();
    }

    public async ValueTask DisposeAsync()
    {
        if (!_stop.IsOver)
        {
            await StopAsync(TimeSpan.Zero, new CancellationToken(canceled: true)).ConfigureAwait(false);
        }

        _listening.Dispose();
    }

    IPoller ILoopEngine.CreatePoller() => new EpollPoller();

    Worker ILoopEngine.LeastLoadedFor(Worker accepting)
    {
        Worker emptiest = accepting;
        int fewest = accepting.Assigned;
        foreach (Worker worker in _workers)
        {
            int assigned = worker.Assigned;
            if (assigned < fewest)
            {
                (emptiest, fewest) = (worker, assigned);
            }
        }

        return accepting.Assigned > fewest + (fewest / 10) + 1 ? emptiest : accepting;
    }

    void ILoopEngine.CompleteIfEmpty() => _stop.CompleteIfEmpty();

    // Runs before there are listening sockets, so that after a failure only the workers have to be released.
    private ListenFailure? StartWorkers()
    {
        try
        {
            for (int number = 0; number < _options.Workers; number++)
            {
                _workers.Add(new Worker(this, number));
            }

            _workers.ForEach(w => w.Start());
            return null;
        }
        catch (Exception e) when (e is InvalidOperationException or OutOfMemoryException or ThreadStartException)
        {
            DropWorkers();
            return ListenFailure.OfEventLoops(e.Message);
        }
    }

    private void BeginNoting(RoutingSnapshot snapshot)
    {
        if (_options.Ledger is { } ledger)
        {
            ledger.SweepWanted = new NameSweep(this, ledger, _workers).Begin;
            NoteSeeds(snapshot);
        }
    }

    private void NoteSeeds(RoutingSnapshot snapshot)
    {
        if (_options.Ledger is { } ledger)
        {
            NameSweep.SetSeeds(ledger, snapshot);
        }
    }

    private void DropWorkers()
    {
        _workers.ForEach(w => w.End(Timeout.InfiniteTimeSpan));
        _workers.Clear();
    }
}
