using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Pacing;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Timing;
using L4Balancer.Engine.Listening;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Engine.Epoll;

/// <summary>
/// The engine that serves on Linux (5.4 and later): one thread per processor on epoll(7), connections as values in arrays, no
/// allocation while it runs. This class is its outside: what other threads ask is posted to the workers, which own everything.
/// </summary>
public sealed class EpollEngine : IEngine
{
    /// <summary>A timer of the framework holds 49 days; what is due later is waited for in parts.</summary>
    private static readonly TimeSpan LongestWait = TimeSpan.FromDays(1);

    private readonly List<Worker> _workers = [];
    private volatile RoutingSnapshot? _snapshot;
    private readonly TaskCompletionSource _empty = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ListeningSockets<EpollListeningSocket> _listening;
    private readonly AcceptThreads _accepting;
    private volatile bool _stopping;
    private bool _stopped;

    public EpollEngine(EngineOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        Options = options;
        Log = options.Loggers.CreateLogger<EpollEngine>();
        _accepting = new AcceptThreads(_workers);
        _listening = new ListeningSockets<EpollListeningSocket>(_accepting, options, Log);
    }

    public string Name => "epoll";

    public int Count => _workers.Sum(w => w.Assigned);

    public IReadOnlyList<Endpoint> Bound => _listening.Bound;

    internal EngineOptions Options { get; }

    internal ILogger Log { get; }

    internal RoutingSnapshot Snapshot => _snapshot!;

    internal IReadOnlyList<Worker> Workers => _workers;

    internal IReadOnlyList<EpollListeningSocket> Listening => _listening.Serving;

    public IReadOnlyList<ListenFailure> Start(RoutingSnapshot snapshot)
    {
        ArgumentNullException.ThrowIfNull(snapshot);
        _snapshot = snapshot;
        IReadOnlyList<ListenFailure> failures = _listening.Start(snapshot);
        if (failures.Count > 0)
        {
            return failures;
        }

        for (int number = 0; number < Options.Workers; number++)
        {
            _workers.Add(new Worker(this, number));
        }

        // Nobody was there to be told when the sockets were opened.
        foreach (EpollListeningSocket socket in _listening.Serving)
        {
            _accepting.Watch(socket);
        }

        _workers.ForEach(w => w.Start());
        return [];
    }

    public IReadOnlyList<ListenFailure> Publish(RoutingSnapshot snapshot)
    {
        ArgumentNullException.ThrowIfNull(snapshot);
        IReadOnlyList<ListenFailure> failures = _listening.Publish(snapshot);
        if (failures.Count == 0)
        {
            _snapshot = snapshot;
        }

        return failures;
    }

    public void List(ICollection<OpenConnection> connections)
    {
        ArgumentNullException.ThrowIfNull(connections);
        (connections as List<OpenConnection>)?.EnsureCapacity(connections.Count + Count);
        Survey.List(_workers, connections);
    }

    public IReadOnlyList<WorkerLoad> Load() => [.. _workers.Select(w => new WorkerLoad(w.Number, w.Assigned, w.Clock.Total))];

    public Task TurnAsync() => Task.WhenAll(_workers.Select(w => w.AskAsync(static _ => true, afterwards: true)));

    public bool Close(ulong id, CloseReason reason) => Survey.Close(_workers, id, reason);

    public async Task<IReadOnlyList<ExportedConnection>?> ExportAsync()
    {
        List<ExportedConnection>[] exported = await Task.WhenAll(_workers.Select(worker => worker.AskAsync(
            static w =>
            {
                List<ExportedConnection> own = [];
                w.Migration.ExportAll(own);
                return own;
            },
            afterwards: []))).ConfigureAwait(false);
        return [.. exported.SelectMany(e => e)];
    }

    public void Adopt(IReadOnlyList<ExportedConnection> connections)
    {
        ArgumentNullException.ThrowIfNull(connections);
        foreach (ExportedConnection connection in connections)
        {
            Worker worker = _workers.MinBy(w => w.Assigned) ?? throw new InvalidOperationException("the engine is not running");
            worker.Assign();
            worker.Mailbox.TryPost(w => w.Migration.Adopt(connection));
        }
    }

    public async Task StopAsync(TimeSpan grace, CancellationToken atOnce)
    {
        await _listening.EndAsync().ConfigureAwait(false);
        _stopping = true;
        CompleteIfEmpty();
        using CancellationTokenRegistration abort = atOnce.Register(AbortAll);
        await CloseAllAsync(grace, atOnce).ConfigureAwait(false);
        await _empty.Task.ConfigureAwait(false);
        EndWorkers();
    }

    public async ValueTask DisposeAsync()
    {
        if (!_stopped)
        {
            await StopAsync(TimeSpan.Zero, new CancellationToken(canceled: true)).ConfigureAwait(false);
        }

        _listening.Dispose();
    }

    /// <summary>
    /// The thread that serves the next connection: the one that accepted it, unless it holds over a tenth more than the emptiest.
    /// Any worker.
    /// </summary>
    internal Worker PlaceFor(Worker accepting)
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

    /// <summary>A worker has one connection less. Any worker.</summary>
    internal void CompleteIfEmpty()
    {
        if (_stopping && Count == 0)
        {
            _empty.TrySetResult();
        }
    }

    // Those being set up at once, the established ones evenly over the grace; each turn posts what is due by then.
    private async Task CloseAllAsync(TimeSpan grace, CancellationToken atOnce)
    {
        PostToAll(static (worker, index) =>
        {
            ref Slot slot = ref worker.Slots[index];
            if (slot.Setup >= 0)
            {
                worker.Closer.Close(index, ref slot, CloseReason.Shutdown);
            }
        });
        List<(Worker Worker, int Index, uint Generation)> open = await AllOpenAsync().ConfigureAwait(false);
        var pace = new EvenSpread(open.Count, grace);
        Instant start = Instant.Now(Options.Clock);
        for (int next = 0; next < open.Count; next++)
        {
            await WaitUntilAsync(start + pace.DueAt(next), atOnce).ConfigureAwait(false);
            if (atOnce.IsCancellationRequested)
            {
                // What is left is aborted; an orderly close on the way there would send a FIN, which hides the reset from the peer.
                return;
            }

            (Worker worker, int index, uint generation) = open[next];
            worker.Mailbox.TryPost(w =>
            {
                ref Slot slot = ref w.Slots[index];
                if (slot.State != SlotState.Free && slot.Generation == generation)
                {
                    w.Closer.Close(index, ref slot, CloseReason.Shutdown);
                }
            });
        }
    }

    // Until that time, or until nobody is connected any more.
    private async Task WaitUntilAsync(Instant due, CancellationToken atOnce)
    {
        for (TimeSpan left = Left(); left > TimeSpan.Zero && !atOnce.IsCancellationRequested && Count > 0; left = Left())
        {
            Task delay = Task.Delay(left < LongestWait ? left : LongestWait, Options.Clock, atOnce);
            await Task.WhenAny(delay, _empty.Task).ConfigureAwait(false);
        }

        TimeSpan Left() => due - Instant.Now(Options.Clock);
    }

    private void AbortAll() =>
        PostToAll(static (worker, index) => worker.Closer.Abort(index, ref worker.Slots[index], CloseReason.Shutdown));

    private void EndWorkers()
    {
        if (Interlocked.Exchange(ref _stopped, true))
        {
            return;
        }

        foreach (Worker worker in _workers)
        {
            worker.Mailbox.TryPost(static w => w.Stop());
        }

        foreach (Worker worker in _workers)
        {
            worker.Join();
            worker.Dispose();
        }
    }

    private async Task<List<(Worker Worker, int Index, uint Generation)>> AllOpenAsync()
    {
        List<(Worker, int, uint)>[] open = await Task.WhenAll(_workers.Select(worker => worker.AskAsync(
            static w =>
            {
                var own = new List<(Worker, int, uint)>(w.Slots.Count);
                ForEachOpen(w, (w, index) => own.Add((w, index, w.Slots[index].Generation)));
                return own;
            },
            afterwards: []))).ConfigureAwait(false);
        return [.. open.SelectMany(o => o)];
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
                act(worker, index);
            }
        }
    }
}
