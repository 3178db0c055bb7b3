using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Timing;
using L4Balancer.Engine.Listening;
using L4Balancer.Engine.Shedding;
using L4Balancer.Engine.Sockets;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Engine.Managed;

/// <summary>
/// The engine on System.Net.Sockets and System.IO.Pipelines: it runs on any platform and is the reference for behaviour. It uses the
/// thread pool and ignores <see cref="EngineOptions.Workers"/>.
/// </summary>
public sealed class ManagedEngine : IEngine, IStopSteps
{
    /// <summary>The maximum delay of a timeout with few connections, and with many.</summary>
    private static readonly TimeSpan ShortestCheck = TimeSpan.FromMilliseconds(50);
    internal static readonly TimeSpan LongestCheck = TimeSpan.FromSeconds(1);

    /// <summary>A timer of the thread pool that fires this late was delayed by a stall of the process.</summary>
    internal static readonly TimeSpan LateBy = TimeSpan.FromMilliseconds(100);

    /// <summary>
    /// Checking a connection costs about a microsecond; this interval keeps all checks within a hundredth of a processor.
    /// </summary>
    private static readonly TimeSpan CheckPerConnection = TimeSpan.FromMicroseconds(100);

    private readonly ConcurrentDictionary<ulong, ManagedConnection> _connections = new();
    private readonly ListeningSockets<ManagedListeningSocket> _listening;
    private readonly Shedder _shedding;
    private readonly CancellationTokenSource _stopChecking = new();
    private readonly TaskCompletionSource _empty = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Task _checking = Task.CompletedTask;
    private volatile RoutingSnapshot? _snapshot;
    private volatile bool _stopping;
    private readonly TransparentFaults _transparentFaults;
    private int _flushing;

    public ManagedEngine(EngineOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        Options = options;
        Log = new FaultTolerantLogger(options.Loggers.CreateLogger<ManagedEngine>());
        _transparentFaults = new TransparentFaults(Log);
        _shedding = new Shedder(new ManagedShedding(_connections), options.Clock);
        _listening = new ListeningSockets<ManagedListeningSocket>(new ManagedAcceptControl(this), options, Log);
    }

    public string Name => "managed";

    public int Count => _connections.Count;

    public IReadOnlyList<Endpoint> Bound => _listening.Bound;

    internal EngineOptions Options { get; }

    internal ILogger Log { get; }

    internal RoutingSnapshot Snapshot => _snapshot!;

    internal Instant Now => Instant.Now(Options.Clock);

    public IReadOnlyList<ListenFailure> Start(RoutingSnapshot snapshot)
    {
        ArgumentNullException.ThrowIfNull(snapshot);
        _snapshot = snapshot;
        IReadOnlyList<ListenFailure> failures = _listening.Start(snapshot);
        if (failures.Count == 0)
        {
            _checking = CheckDeadlinesAsync();
        }

        return failures;
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

    public IReadOnlyList<ListenFailure> FollowPools() => _listening.FollowPools();

    public void List(Action<OpenConnection> visit)
    {
        ArgumentNullException.ThrowIfNull(visit);
        foreach ((_, ManagedConnection connection) in _connections)
        {
            visit(connection.Open);
        }
    }

    public async Task ReportLivingAsync(TimeSpan over, CancellationToken cancel)
    {
        var pace = new SlicePace(over, Count, Options.Clock);
        int count = 0;
        foreach ((_, ManagedConnection connection) in _connections)
        {
            count += connection.ReportAlive() ? 1 : 0;
            if (count == SlicePace.Slice)
            {
                await pace.WaitAfterAsync(count, cancel).ConfigureAwait(false);
                count = 0;
            }
        }
    }

    public IReadOnlyList<WorkerLoad> LoopStatistics() => [];

    public long HeldBytes => Options.Held.Used;

    /// <summary>Completes when the thread pool, which serves every connection, has run a work item.</summary>
    public Task PingLoopsAsync() => Task.Run(static () => { });

    public bool Close(ulong id, CloseReason reason)
    {
        bool found = _connections.TryGetValue(id, out ManagedConnection? connection);
        connection?.Close(reason);
        return found;
    }

    public Task<int> ShedAsync(ShedOrder order, CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(order);
        return _shedding.ShedAsync(order, cancel);
    }

    public int Connecting => _connections.Values.Count(c => !c.Open.Record.IsEstablished);

    /// <summary>Unsupported: bytes held by a pipe or by a pending operation of the framework cannot be extracted.</summary>
    public Task<FrozenSlice?> FreezeAsync(int most, CancellationToken cancel) => Task.FromResult<FrozenSlice?>(null);

    public Task<IReadOnlyList<AdoptFailure>> AdoptAsync(IReadOnlyList<ExportedConnection> connections) => throw NoHandOver();

    public Task<FrozenSlice> TakeFrozenAsync(IReadOnlyList<ExportedConnection> connections) => throw NoHandOver();

    public IReadOnlyList<ListeningDescriptor> ListeningDescriptors => [];

    public Task<IReadOnlySet<ulong>> CookiesAsync() => Task.FromResult<IReadOnlySet<ulong>>(new HashSet<ulong>());

    public void ShareListening() => throw NoHandOver();

    public Task StopAcceptingAsync() => throw NoHandOver();

    public void ResumeAccepting() => throw NoHandOver();

    public async Task StopAsync(TimeSpan grace, CancellationToken atOnce)
    {
        await EngineStop.RunAsync(this, grace, Options.Clock, Log, atOnce).ConfigureAwait(false);
        await _stopChecking.CancelAsync().ConfigureAwait(false);
        await EngineStop.EndsWithinAsync(_checking, EngineStop.Moment, Options.Clock, CancellationToken.None).ConfigureAwait(false);
    }

    Task IStopSteps.EndAcceptingAsync() => _listening.EndAsync();

    async Task IStopSteps.CloseAllAsync(TimeSpan grace, CancellationToken atOnce)
    {
        _stopping = true;
        CompleteIfEmpty();
        await CloseAllAsync(grace, atOnce).ConfigureAwait(false);
        await _empty.Task.ConfigureAwait(false);
    }

    void IStopSteps.AbortAll()
    {
        foreach ((_, ManagedConnection connection) in _connections)
        {
            connection.Abort(CloseReason.Shutdown);
        }
    }

    Task<IReadOnlyList<string>> IStopSteps.DescribeRestAsync(int most) =>
        Task.FromResult<IReadOnlyList<string>>([.. _connections.Values.Take(most).Select(static c => c.Describe())]);

    public async ValueTask DisposeAsync()
    {
        if (!_stopChecking.IsCancellationRequested)
        {
            await StopAsync(TimeSpan.Zero, new CancellationToken(canceled: true)).ConfigureAwait(false);
        }

        _stopChecking.Dispose();
        _listening.Dispose();
    }

    /// <summary>Takes over an accepted socket.</summary>
    /// <param name="listening">The address that the listening socket is bound to.</param>
    internal void Serve(Socket client, ListenerRoute target, Endpoint listening)
    {
        try
        {
            if (TryReadTuple(client, listening, out FourTuple tuple))
            {
                _ = new ManagedConnection(this, client).ServeAsync(target.Snapshot, target.Listener, tuple);
            }
            else
            {
                client.Dispose();
            }
        }
        catch
        {
            client.Dispose();
            throw;
        }
    }

    /// <summary>Number of connections that wait until their send queues are empty.</summary>
    internal int Flushing => Volatile.Read(ref _flushing);

    internal void BeginFlush() => Interlocked.Increment(ref _flushing);

    internal void EndFlush() => Interlocked.Decrement(ref _flushing);

    /// <summary>Called by a connection first, once it has an id.</summary>
    internal void Remember(ManagedConnection connection) => _connections[connection.Record.Id] = connection;

    /// <summary>Called by a connection last, after its sockets are closed; writes its record.</summary>
    internal void Forget(ManagedConnection connection)
    {
        ConnectionRecord record = connection.Record;
        try
        {
            Options.Records.Ended(record);
        }
        catch (Exception e)
        {
            Log.RecordNotTaken(record.Id, e);
        }

        _connections.TryRemove(record.Id, out _);
        CompleteIfEmpty();
    }

    internal void NoteFault(string pool, TransparentFault fault)
    {
        lock (_transparentFaults)
        {
            _transparentFaults.Note(pool, fault, Now);
        }
    }

    /// <summary>The time until this instant, as the due time of a timer; infinite for never.</summary>
    internal TimeSpan Until(Instant deadline)
    {
        Instant now = Now;
        return deadline == Instant.Never ? Timeout.InfiniteTimeSpan : deadline <= now ? TimeSpan.Zero : deadline - now;
    }

    // If the client has gone before accept(2) returns, the socket has no peer.
    private static bool TryReadTuple(Socket client, Endpoint listening, out FourTuple tuple)
    {
        tuple = new FourTuple(Endpoint.OfUnixClient(0), listening);
        if (listening.IsUnix)
        {
            return true;
        }

        try
        {
            tuple = new FourTuple(Endpoint.From((IPEndPoint)client.RemoteEndPoint!), Endpoint.From((IPEndPoint)client.LocalEndPoint!));
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    private async Task CheckDeadlinesAsync()
    {
        using var timer = new PeriodicTimer(ShortestCheck, Options.Clock);
        try
        {
            while (await timer.WaitForNextTickAsync(_stopChecking.Token).ConfigureAwait(false))
            {
                CheckAllDeadlines();
                TimeSpan next = Count * CheckPerConnection;
                timer.Period = next < ShortestCheck ? ShortestCheck : next > LongestCheck ? LongestCheck : next;
            }
        }
        catch (OperationCanceledException)
        {
            // The engine has stopped.
        }
    }

    private void CheckAllDeadlines()
    {
        try
        {
            Instant now = Now;
            foreach ((_, ManagedConnection connection) in _connections)
            {
                CheckDeadlines(connection, now);
            }
        }
        catch (Exception e)
        {
            Log.CheckFailed(e);
        }
    }

    // An exception in one connection must not stop the timeouts of all others.
    internal void CheckDeadlines(ManagedConnection connection, Instant now)
    {
        try
        {
            connection.CheckDeadlines(now);
        }
        catch (Exception e)
        {
            Log.ServingFailed(connection.Record.Id, e);
            connection.Abort(CloseReason.Internal);
        }
    }

    // Closes connections being set up at once, and the established ones evenly over the grace or until none is left.
    private async Task CloseAllAsync(TimeSpan grace, CancellationToken atOnce)
    {
        foreach ((_, ManagedConnection pending) in _connections.Where(static c => !c.Value.Record.IsEstablished))
        {
            pending.Close(CloseReason.Shutdown);
        }

        await _shedding.ShedUntilAsync(grace, _empty.Task, atOnce).ConfigureAwait(false);
        if (atOnce.IsCancellationRequested)
        {
            // Remaining connections are aborted; an orderly close before that would send a FIN, which hides the reset from the peer.
            return;
        }

        // Covers connections that were established after the shedding selected its candidates.
        foreach ((_, ManagedConnection connection) in _connections)
        {
            connection.Close(CloseReason.Shutdown);
        }
    }

    private void CompleteIfEmpty()
    {
        if (_stopping && _connections.IsEmpty)
        {
            _empty.TrySetResult();
        }
    }

    private static NotSupportedException NoHandOver() =>
        new("the managed engine hands over and adopts no connections; use engine = \"epoll\"");
}
