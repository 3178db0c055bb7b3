namespace L4Balancer.Core.Accounting;

/// <summary>
/// Counters and state of one listener. Kept by the listener's name across snapshots, so that counts survive a reload.
/// Any thread may call any member.
/// </summary>
/// <param name="seed">Of the hash by which clients are found; not known to them.</param>
public sealed class ListenerState(string name, ulong seed = 0)
{
    private long _accepted;
    private long _keysMissing;
    private int _pending;
    private int _open;

    public string Name { get; } = name;

    /// <summary>Connections that accept(2) returned, including refused ones.</summary>
    public long Accepted => Volatile.Read(ref _accepted);

    /// <summary>Accepted connections without a connected backend yet.</summary>
    public int Pending => Volatile.Read(ref _pending);

    /// <summary>Pending and active connections, limited by <c>max_connections</c>.</summary>
    public int Open => Volatile.Read(ref _open);

    /// <summary>Connections hashed by their tuple because a named field of <c>hash_key</c> was missing.</summary>
    public long KeysMissing => Volatile.Read(ref _keysMissing);

    public ReasonCounters Refused { get; } = new();

    /// <summary>Connections by client address; empty if no limit per source was ever set.</summary>
    public ClientTable ByClient { get; } = new(seed);

    internal void WriteTo(CounterSheet sheet)
    {
        (sheet["accepted"], sheet["keys_missing"]) = (Accepted, KeysMissing);
        Refused.WriteTo(sheet, "refused_");
    }

    internal void Add(CounterSheet counted)
    {
        Interlocked.Add(ref _accepted, counted["accepted"]);
        Interlocked.Add(ref _keysMissing, counted["keys_missing"]);
        Refused.Add(counted, "refused_");
    }

    /// <summary>Counts an accepted connection as pending.</summary>
    /// <returns>The number of open connections of this listener, including this one.</returns>
    public int CountAccepted()
    {
        Interlocked.Increment(ref _accepted);
        Interlocked.Increment(ref _pending);
        return Interlocked.Increment(ref _open);
    }

    public void CountKeyMissing() => Interlocked.Increment(ref _keysMissing);

    public void CountRefused(CloseReason reason)
    {
        Interlocked.Decrement(ref _pending);
        Interlocked.Decrement(ref _open);
        Refused.Count(reason);
    }

    public void CountEstablished() => Interlocked.Decrement(ref _pending);

    /// <summary>Counts an established connection that came from another engine.</summary>
    public void CountJoined() => Interlocked.Increment(ref _open);

    public void CountClosed() => Interlocked.Decrement(ref _open);
}
