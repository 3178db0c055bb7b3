using L4Balancer.Core.Pacing;

namespace L4Balancer.Core.Accounting;

/// <summary>Counters and state of one pool over all its backends, including removed ones. Kept by name. Any thread.</summary>
public sealed class PoolState(string name)
{
    private int _active;
    private int _halfClosed;
    private long _queueAbandoned;
    private volatile IReadOnlyDictionary<BackendState, int>? _targets;

    public string Name { get; } = name;

    /// <summary>Established connections.</summary>
    public int Active => Volatile.Read(ref _active);

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

    internal void CountQueueAbandoned() => Interlocked.Increment(ref _queueAbandoned);

    internal void CountHalfClosed(int change) => Interlocked.Add(ref _halfClosed, change);

    internal void CountEstablished() => Interlocked.Increment(ref _active);

    internal void CountEnded() => Interlocked.Decrement(ref _active);
}
