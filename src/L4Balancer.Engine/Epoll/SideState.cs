namespace L4Balancer.Engine.Epoll;

/// <summary>What the edges of one socket have told, and what is known of its peer.</summary>
[Flags]
internal enum SideState : byte
{
    None = 0,

    /// <summary>There may be something to read: no read since the last edge has found the queue empty.</summary>
    Readable = 1,

    /// <summary>No write since the last edge has found the queue full.</summary>
    Writable = 2,

    /// <summary>An edge carried RDHUP, HUP or ERR. Data and FIN come in one edge, so a short read no longer means an empty queue.</summary>
    Ending = 4,

    /// <summary>The peer reset the connection, or the kernel gave it up.</summary>
    Reset = 8,
}
