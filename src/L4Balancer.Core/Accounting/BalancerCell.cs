namespace L4Balancer.Core.Accounting;

/// <summary>Counters of the whole process, over all listeners. Any thread may call any member.</summary>
public sealed class BalancerCell
{
    private int _open;
    private long _lastId;
    private volatile Action<BackendCell, ConnectNews>? _onConnectNews;

    /// <summary>Pending and active connections, limited by <c>[balancer] max_connections</c>.</summary>
    public int Open => Volatile.Read(ref _open);

    public ReloadCounters Reloads { get; } = new();

    /// <summary>
    /// Handles passive-health events. Called on the thread that serves the connection, at most once per change; must not block or throw.
    /// </summary>
    public Action<BackendCell, ConnectNews>? OnConnectNews
    {
        get => _onConnectNews;
        set => _onConnectNews = value;
    }

    /// <returns>The number of open connections, including this one.</returns>
    public int CountAccepted() => Interlocked.Increment(ref _open);

    public void CountEnded() => Interlocked.Decrement(ref _open);

    /// <summary>Returns an id that is unique within the process; ids start at 1.</summary>
    public ulong NextId() => (ulong)Interlocked.Increment(ref _lastId);
}
