using L4Balancer.Core.Pacing;

namespace L4Balancer.Core.Accounting;

/// <summary>Counters and state of one pool over all its backends, including removed ones. Kept by name. Any thread.</summary>
public sealed class PoolState(string name)
{
    private int _active;
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

    internal void CountEstablished() => Interlocked.Increment(ref _active);

    internal void CountEnded() => Interlocked.Decrement(ref _active);
}
