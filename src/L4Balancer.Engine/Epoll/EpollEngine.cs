using System.Collections.Concurrent;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Pacing;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Timing;
using L4Balancer.Engine.Linux;
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
    private volatile bool _stopping;
    private bool _stopped;

    public EpollEngine(EngineOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        Options = options;
        Log = options.Loggers.CreateLogger<EpollEngine>();
    }

    public string Name => "epoll";

    public int Count => _workers.Sum(w => w.Assigned);

    public IReadOnlyList<Endpoint> Bound => [.. Listening.Select(l => l.Endpoint)];

    internal EngineOptions Options { get; }

    internal ILogger Log { get; }

    internal RoutingSnapshot Snapshot => _snapshot!;

    /// <summary>All listening sockets; a worker names one by its place here.</summary>
    internal ListeningSocket[] Listening { get; private set; } = [];

    internal IReadOnlyList<Worker> Workers => _workers;

    public IReadOnlyList<ListenFailure> Start(RoutingSnapshot snapshot)
    {
        ArgumentNullException.ThrowIfNull(snapshot);
        _snapshot = snapshot;
        List<ListenFailure> failures = [];
        List<ListeningSocket> listening = [];
        foreach (Listener listener in snapshot.Listeners)
        {
            foreach (Endpoint endpoint in listener.Settings.Bind)
            {
                (ListeningSocket? socket, Errno error) = ListeningSocket.Open(listening.Count, new Target(snapshot, listener), endpoint);
                if (socket is null)
                {
                    failures.Add(ListenFailures.From(listener.Name, endpoint, error));
                }
                else
                {
                    listening.Add(socket);
                }
            }
        }

        if (failures.Count > 0)
        {
            listening.ForEach(l => l.Close());
            return failures;
        }

        Listening = [.. listening];
        foreach (ListeningSocket socket in Listening)
        {
            Log.Listening(socket.Endpoint, socket.Target.Listener.Name);
        }

        for (int number = 0; number < Options.Workers; number++)
        {
            _workers.Add(new Worker(this, number));
        }

        foreach (Worker worker in _workers)
        {
            worker.Mailbox.TryPost(static w => w.Acceptor.Watch());
            worker.Start();
        }

        return [];
    }

    public IReadOnlyList<ListenFailure> Publish(RoutingSnapshot snapshot)
    {
        ArgumentNullException.ThrowIfNull(snapshot);
        _snapshot = snapshot;
        foreach (ListeningSocket socket in Listening)
        {
            Listener? listener = snapshot.Listeners.FirstOrDefault(l => l.Name == socket.Target.Listener.Name);
            if (listener is not null)
            {
                socket.Target = new Target(snapshot, listener);
            }
        }

        return [];
    }

    public void List(ICollection<OpenConnection> connections)
    {
        ArgumentNullException.ThrowIfNull(connections);
        foreach (OpenConnection connection in AskAll<OpenConnection>(
            static (_, _, slot, found) => found.Add(new OpenConnection(slot.Record, slot.LastActivity))))
        {
            connections.Add(connection);
        }
    }

    public IReadOnlyList<WorkerLoad> Load() => [.. _workers.Select(w => new WorkerLoad(w.Number, w.Assigned, TimeSpan.Zero))];

    public Task TurnAsync() => Task.WhenAll(_workers.Select(w => AskAsync(w, static _ => { })));

    public bool Close(ulong id, CloseReason reason) => AskAll<ulong>((worker, index, _, found) =>
    {
        ref Slot slot = ref worker.Slots[index];
        if (slot.Record.Id == id)
        {
            found.Add(id);
            worker.Closer.Close(index, ref slot, reason);
        }
    }).Count > 0;

    public async Task<IReadOnlyList<ExportedConnection>?> ExportAsync()
    {
        var exported = new ConcurrentBag<List<ExportedConnection>>();
        await Task.WhenAll(_workers.Select(worker => AskAsync(worker, w =>
        {
            List<ExportedConnection> own = [];
            w.Migration.ExportAll(own);
            exported.Add(own);
        }))).ConfigureAwait(false);
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
        await Task.WhenAll(_workers.Select(w => AskAsync(w, static w => w.Acceptor.End()))).ConfigureAwait(false);
        foreach (ListeningSocket socket in Listening)
        {
            socket.Close();
        }

        Listening = [];
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
        List<(Worker Worker, int Index, uint Generation)> open = AskAll<(Worker, int, uint)>(
            static (worker, index, slot, found) => found.Add((worker, index, slot.Generation)));
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

    // Looks at every connection, each on its own thread, and waits for the answers.
    private List<T> AskAll<T>(Action<Worker, int, Slot, List<T>> look)
    {
        var answers = new ConcurrentBag<List<T>>();
        Task.WaitAll(_workers.Select(worker => AskAsync(worker, w =>
        {
            List<T> found = [];
            for (int index = 0; index < w.Slots.End; index++)
            {
                if (w.Slots[index].State != SlotState.Free)
                {
                    look(w, index, w.Slots[index], found);
                }
            }

            answers.Add(found);
        })));
        return [.. answers.SelectMany(a => a)];
    }

    private void PostToAll(Action<Worker, int> act)
    {
        foreach (Worker worker in _workers)
        {
            worker.Mailbox.TryPost(w =>
            {
                for (int index = 0; index < w.Slots.End; index++)
                {
                    if (w.Slots[index].State != SlotState.Free)
                    {
                        act(w, index);
                    }
                }
            });
        }
    }

    private static Task AskAsync(Worker worker, Action<Worker> request)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        bool posted = worker.Mailbox.TryPost(w =>
        {
            request(w);
            done.SetResult();
        });
        return posted ? done.Task : Task.CompletedTask;
    }
}
