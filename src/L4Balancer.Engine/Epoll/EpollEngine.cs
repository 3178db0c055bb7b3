using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Timing;
using L4Balancer.Engine.Listening;
using L4Balancer.Engine.Loop;
using L4Balancer.Engine.Shedding;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Engine.Epoll;

/// <summary>
/// The engine for Linux (5.4 and later): one thread per processor on epoll(7), connections as values in arrays, no allocation in steady
/// state. This class is its public interface: requests of other threads are posted to the workers, which own all connection state.
/// </summary>
public sealed class EpollEngine : IEngine, ILoopEngine, IStopSteps
{
    /// <summary>How long a worker that is asked what is left may take.</summary>
    private static readonly TimeSpan Answering = TimeSpan.FromMilliseconds(200);

    private readonly List<Worker> _workers = [];
    private readonly EngineOptions _options;
    private readonly ILogger _log;
    private volatile RoutingSnapshot? _snapshot;
    private readonly TaskCompletionSource _empty = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ListeningSockets<LoopListeningSocket> _listening;
    private readonly AcceptControl _accepting;
    private readonly Shedder _shedding;
    private volatile bool _stopping;
    private volatile bool _stopped;

    public EpollEngine(EngineOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        _options = options;
        _log = new FaultTolerantLogger(options.Loggers.CreateLogger<EpollEngine>());
        _accepting = new AcceptControl(_workers, options.Ledger, _log);
        _shedding = new Shedder(new LoopShedding(_workers), options.Clock);
        _listening = new ListeningSockets<LoopListeningSocket>(_accepting, options, _log);
    }

    /// <summary>As in the configuration.</summary>
    public const string EngineName = "epoll";

    public string Name => EngineName;

    public int Count => _workers.Sum(w => w.Assigned);

    public IReadOnlyList<Endpoint> Bound => _listening.Bound;

    EngineOptions ILoopEngine.Options => _options;

    ILogger ILoopEngine.Log => _log;

    RoutingSnapshot ILoopEngine.Snapshot => _snapshot!;

    bool ILoopEngine.IsStopping => _stopping;

    internal IReadOnlyList<Worker> Workers => _workers;

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

    public IReadOnlyList<WorkerLoad> LoopStatistics() => [.. _workers.Select(w => new WorkerLoad(w.Number, w.Assigned, w.Clock.Total, w.Stalls, w.Transfer.Spliced))];

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
        List<AdoptFailure>[] failures = await Task.WhenAll(Share(connections).Select(s => AdoptAsync(s.Key, s.Value))).ConfigureAwait(false);
        return [.. failures.SelectMany(f => f)];
    }

    public async Task<FrozenSlice> TakeFrozenAsync(IReadOnlyList<ExportedConnection> connections) =>
        await LoopSlice.TakeAsync(Share(connections)).ConfigureAwait(true);

    public IReadOnlyList<ListeningDescriptor> ListeningDescriptors => _listening.Descriptors;

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
        await EngineStop.RunAsync(this, grace, _options.Clock, _log, atOnce).ConfigureAwait(false);
        EndWorkers();
    }

    Task IStopSteps.EndAcceptingAsync() => _listening.EndAsync();

    async Task IStopSteps.CloseAllAsync(TimeSpan grace, CancellationToken atOnce)
    {
        _stopping = true;
        CompleteIfEmpty();
        await CloseAllAsync(grace, atOnce).ConfigureAwait(false);
        await _empty.Task.ConfigureAwait(false);
    }

    void IStopSteps.AbortAll() =>
        PostToAll(static (worker, index) => worker.Closer.Abort(ref worker.Slots[index], CloseReason.Shutdown));

    async Task<IReadOnlyList<string>> IStopSteps.DescribeRestAsync(int most)
    {
        // All at once: the time does not depend on the number of loops that hang.
        Task<List<string>>[] asked = [.. _workers.Select(w => w.AskAsync(asking => ConnectionScan.Describe(asking, most), afterwards: []))];
        await EngineStop.EndsWithinAsync(Task.WhenAll(asked), Answering, _options.Clock, CancellationToken.None).ConfigureAwait(false);
        List<string> rest = [];
        foreach ((Worker worker, Task<List<string>> answer) in _workers.Zip(asked))
        {
            if (answer.IsCompletedSuccessfully)
            {
                rest.AddRange(await answer.ConfigureAwait(false));
            }
            else
            {
                rest.Add($"event loop {worker.Number} does not respond (connections: {worker.Assigned})");
            }
        }

        return rest;
    }

    public async ValueTask DisposeAsync()
    {
        if (!_stopped)
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

    void ILoopEngine.CompleteIfEmpty() => CompleteIfEmpty();

    private void CompleteIfEmpty()
    {
        if (_stopping && Count == 0)
        {
            _empty.TrySetResult();
        }
    }

    private Dictionary<Worker, List<ExportedConnection>> Share(IReadOnlyList<ExportedConnection> connections)
    {
        ArgumentNullException.ThrowIfNull(connections);
        if (_workers.Count == 0)
        {
            throw new InvalidOperationException("the engine is not running");
        }

        Dictionary<Worker, List<ExportedConnection>> shares = [];
        foreach (ExportedConnection connection in connections)
        {
            Worker worker = _workers.MinBy(w => w.Assigned)!;
            worker.Assign(isEstablished: true);
            if (!shares.TryGetValue(worker, out List<ExportedConnection>? share))
            {
                shares.Add(worker, share = []);
            }

            share.Add(connection);
        }

        return shares;
    }

    private async Task<List<AdoptFailure>> AdoptAsync(Worker worker, List<ExportedConnection> share)
    {
        List<AdoptFailure>? failures = await worker.AskAsync<List<AdoptFailure>?>(w => w.Adoption.Adopt(share), afterwards: null).ConfigureAwait(true);
        if (failures is not null)
        {
            return failures;
        }

        // The worker has ended.
        failures = [.. share.Select(c => Adoption.Refuse(this, c, CloseReason.Shutdown, "the engine has stopped"))];
        share.ForEach(_ => worker.Unassign(isEstablished: true));
        return failures;
    }

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

    // Closes connections being set up at once, and the established ones evenly over the grace or until none is left.
    private async Task CloseAllAsync(TimeSpan grace, CancellationToken atOnce)
    {
        PostToAll(static (worker, index) =>
        {
            ref Slot slot = ref worker.Slots[index];
            if (slot.Setup >= 0)
            {
                worker.Closer.Close(ref slot, CloseReason.Shutdown);
            }
        });
        await _shedding.ShedUntilAsync(grace, _empty.Task, atOnce).ConfigureAwait(false);
        if (!atOnce.IsCancellationRequested)
        {
            PostToAll(static (worker, index) => worker.Closer.Close(ref worker.Slots[index], CloseReason.Shutdown));
        }
    }

    // A thread that hangs is left behind; it does not keep the process from ending.
    private void EndWorkers()
    {
        foreach (Worker worker in _workers)
        {
            worker.Mailbox.TryPost(static w => w.Stop());
        }

        Instant end = Instant.Now(_options.Clock) + EngineStop.Moment;
        bool all = true;
        foreach (Worker worker in _workers)
        {
            TimeSpan left = end - Instant.Now(_options.Clock);
            all &= worker.End(left > TimeSpan.Zero ? left : TimeSpan.Zero);
        }

        _stopped = all;
    }

    private void PostToAll(Action<Worker, int> act)
    {
        foreach (Worker worker in _workers)
        {
            worker.Mailbox.TryPost(w => ForEachOpen(w, act));
        }
    }

    private static void ForEachOpen(Worker worker, Action<Worker, int> act)
    {
        for (int index = 0; index < worker.Slots.End; index++)
        {
            if (worker.Slots[index].State != SlotState.Free)
            {
                worker.Guard.Run(act, index, index);
            }
        }
    }
}
