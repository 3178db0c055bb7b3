namespace L4Balancer.Core.Accounting;

/// <summary>What the whole process holds, over all listeners. Any thread may call anything here.</summary>
public sealed class BalancerCell
{
    private int _open;
    private long _lastId;

    /// <summary>Pending and active connections: what <c>[balancer] max_connections</c> bounds.</summary>
    public int Open => Volatile.Read(ref _open);

    public ReloadCounters Reloads { get; } = new();

    /// <returns>How many connections are open now, this one included.</returns>
    public int CountAccepted() => Interlocked.Increment(ref _open);

    public void CountEnded() => Interlocked.Decrement(ref _open);

    /// <summary>An id that no other connection of this process has had; ids start at 1.</summary>
    public ulong NextId() => (ulong)Interlocked.Increment(ref _lastId);
}
