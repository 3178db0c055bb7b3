using L4Balancer.Core.Pacing;

namespace L4Balancer.Core.Accounting;

/// <summary>What one pool holds over all its backends, those included that have left it. Kept by name. Any thread.</summary>
public sealed class PoolCell(string name)
{
    private int _active;
    private volatile IReadOnlyDictionary<BackendCell, int>? _targets;

    public string Name { get; } = name;

    /// <summary>Established connections.</summary>
    public int Active => Volatile.Read(ref _active);

    /// <summary>What everything that goes by <c>close_rate</c> shares.</summary>
    public Pace Closing { get; } = new();

    /// <summary>
    /// While the pool is rebalanced, how many each backend is to hold: whoever holds them takes no more. Null: it is not. One writer.
    /// </summary>
    public IReadOnlyDictionary<BackendCell, int>? Targets
    {
        get => _targets;
        set => _targets = value;
    }

    internal void CountEstablished() => Interlocked.Increment(ref _active);

    internal void CountEnded() => Interlocked.Decrement(ref _active);
}
