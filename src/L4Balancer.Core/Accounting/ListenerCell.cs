namespace L4Balancer.Core.Accounting;

/// <summary>
/// What happened at one listener. Kept by the listener's name from snapshot to snapshot, so that counts survive a reload.
/// Any thread may call anything here.
/// </summary>
public sealed class ListenerCell(string name)
{
    private long _accepted;
    private int _pending;
    private int _open;

    public string Name { get; } = name;

    /// <summary>Connections that accept(2) returned, whatever became of them.</summary>
    public long Accepted => Volatile.Read(ref _accepted);

    /// <summary>Accepted, and no backend is connected yet.</summary>
    public int Pending => Volatile.Read(ref _pending);

    /// <summary>Pending and active together: what <c>max_connections</c> bounds.</summary>
    public int Open => Volatile.Read(ref _open);

    public ReasonCounters Refused { get; } = new();

    /// <summary>Who holds how many; empty where no limit per source was ever set.</summary>
    public SourceTable BySource { get; } = new();

    /// <summary>Counts an accepted connection as pending.</summary>
    /// <returns>How many this listener holds open now, this one included.</returns>
    public int CountAccepted()
    {
        Interlocked.Increment(ref _accepted);
        Interlocked.Increment(ref _pending);
        return Interlocked.Increment(ref _open);
    }

    public void CountRefused(CloseReason reason)
    {
        Interlocked.Decrement(ref _pending);
        Interlocked.Decrement(ref _open);
        Refused.Count(reason);
    }

    public void CountEstablished() => Interlocked.Decrement(ref _pending);

    /// <summary>An established connection came from another engine.</summary>
    public void CountJoined() => Interlocked.Increment(ref _open);

    public void CountClosed() => Interlocked.Decrement(ref _open);
}
