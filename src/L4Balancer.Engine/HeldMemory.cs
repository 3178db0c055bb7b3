namespace L4Balancer.Engine;

/// <summary>
/// The bound on memory that all connections of an engine together hold for peers that do not read (<c>held_memory</c>). It is looked at
/// before a read and charged after it, so that threads which read at the same moment may exceed it by one buffer each. Any thread.
/// </summary>
/// <param name="limit">In bytes.</param>
public sealed class HeldMemory(long limit)
{
    private long _used;

    public long Limit { get; } = limit;

    /// <summary>Bytes held now, counted in whole buffers and pipes where an engine rents those.</summary>
    public long Used => Volatile.Read(ref _used);

    /// <summary>Whether so many further bytes fit.</summary>
    public bool HasRoomFor(long bytes) => Volatile.Read(ref _used) + bytes <= Limit;

    public void Take(long bytes) => Interlocked.Add(ref _used, bytes);

    public void Return(long bytes) => Interlocked.Add(ref _used, -bytes);
}
