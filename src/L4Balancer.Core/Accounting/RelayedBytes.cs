namespace L4Balancer.Core.Accounting;

/// <summary>Bytes relayed by one worker for one backend.</summary>
public sealed class RelayedBytes
{
    private long _toBackend;
    private long _toClient;

    public long ToBackend => Volatile.Read(ref _toBackend);

    public long ToClient => Volatile.Read(ref _toClient);

    /// <summary>Adds without an atomic instruction; only the thread that owns this object may call it.</summary>
    public void Add(long toBackend, long toClient)
    {
        Volatile.Write(ref _toBackend, _toBackend + toBackend);
        Volatile.Write(ref _toClient, _toClient + toClient);
    }

    /// <summary>Adds from any thread.</summary>
    public void AddShared(long toBackend, long toClient)
    {
        Interlocked.Add(ref _toBackend, toBackend);
        Interlocked.Add(ref _toClient, toClient);
    }
}
