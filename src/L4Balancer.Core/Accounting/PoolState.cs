using L4Balancer.Core.Pacing;
using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Accounting;

/// <summary>Counters and state of one pool over all its backends, including removed ones. Kept by name. Any thread.</summary>
/// <param name="seed">
/// Where turns begin: random for a daemon, so that several balancers do not all begin with the same backend; zero for a fixed place.
/// </param>
/// <param name="firstTurn">The number before the first turn.</param>
public sealed class PoolState(string name, ulong seed = 0, ulong firstTurn = 0)
{
    /// <summary>The resolution of <see cref="Now"/>: a write per connection would move the cache line between processors.</summary>
    private const long Resolution = TimeSpan.TicksPerSecond / 10;

    private int _active;
    private int _halfClosed;
    private long _queueAbandoned;
    private int _connecting;
    private ulong _turn = seed ^ firstTurn;
    private long _now;
    private volatile IReadOnlyDictionary<BackendState, int>? _targets;

    public string Name { get; } = name;

    /// <summary>Established connections.</summary>
    public int Active => Volatile.Read(ref _active);

    /// <summary>Established connections, and those that have picked a backend and are not connected yet.</summary>
    public int Load => Volatile.Read(ref _active) + Volatile.Read(ref _connecting);

    /// <summary>The rate limiter that everything limited by <c>close_rate</c> shares.</summary>
    public RateLimiter Closing { get; } = new();

    /// <summary>
    /// During a rebalance, the number of connections each backend should hold; a backend at its number takes no more. Null if no
    /// rebalance is in progress. One writer.
    /// </summary>
    public IReadOnlyDictionary<BackendState, int>? Targets
    {
        get => _targets;
        set => _targets = value;
    }

    /// <summary>Established connections of which one side has finished.</summary>
    public int HalfClosed => Volatile.Read(ref _halfClosed);

    /// <summary>Connections whose client had left, by FIN without data, while they waited for <c>new_connection_rate</c>.</summary>
    public long QueueAbandoned => Volatile.Read(ref _queueAbandoned);

    /// <summary>Answers to clients that asked for an endpoint of this pool.</summary>
    public EndpointAnswers EndpointAnswers { get; } = new();

    internal void WriteTo(CounterSheet sheet)
    {
        sheet["queue_abandoned"] = QueueAbandoned;
        EndpointAnswers.WriteTo(sheet);
    }

    internal void Add(CounterSheet counted)
    {
        Interlocked.Add(ref _queueAbandoned, counted["queue_abandoned"]);
        EndpointAnswers.Add(counted);
    }

    internal void CountQueueAbandoned() => Interlocked.Increment(ref _queueAbandoned);

    internal void CountHalfClosed(int change) => Interlocked.Add(ref _halfClosed, change);

    /// <summary>When a connection last looked for a backend, up to 100 ms earlier than it was.</summary>
    internal Instant Now => new(Volatile.Read(ref _now));

    internal ulong Seed { get; } = seed;

    /// <summary>Held while <c>round-robin</c> uses <see cref="BackendState.Turn"/> of the pool's backends.</summary>
    internal Lock TurnGate { get; } = new();

    /// <summary>
    /// The next number of the sequence from which <c>random-two</c> draws and the other balances break ties. It continues over snapshots:
    /// with one sequence per snapshot, frequent changes would give the first picks of it ever again.
    /// </summary>
    internal ulong NextTurn() => Interlocked.Increment(ref _turn);

    internal void NoteTime(Instant now)
    {
        if (now.Ticks - Volatile.Read(ref _now) >= Resolution)
        {
            Volatile.Write(ref _now, now.Ticks);
        }
    }

    internal void CountPicked() => Interlocked.Increment(ref _connecting);

    internal void CountLetGo() => Interlocked.Decrement(ref _connecting);

    internal void CountEstablished() => Interlocked.Increment(ref _active);

    internal void CountEnded() => Interlocked.Decrement(ref _active);
}
