namespace L4Balancer.Core.Accounting;

/// <summary>What one pool holds over all its backends, those included that have left it. Kept by name. Any thread.</summary>
public sealed class PoolCell(string name)
{
    private int _active;

    public string Name { get; } = name;

    /// <summary>Established connections.</summary>
    public int Active => Volatile.Read(ref _active);

    internal void CountEstablished() => Interlocked.Increment(ref _active);

    internal void CountEnded() => Interlocked.Decrement(ref _active);
}
