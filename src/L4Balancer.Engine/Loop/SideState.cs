namespace L4Balancer.Engine.Loop;

/// <summary>State of one socket as known from its edges: what it is ready for, and whether its peer has ended.</summary>
[Flags]
internal enum SideState : byte
{
    None = 0,

    /// <summary>There may be bytes to read: no read since the last edge has found the queue empty.</summary>
    Readable = 1,

    /// <summary>No write since the last edge has found the queue full.</summary>
    Writable = 2,

    /// <summary>An edge carried RDHUP, HUP or ERR. Data and FIN share one edge, so a short read no longer means an empty queue.</summary>
    Ending = 4,

    /// <summary>
    /// An edge carried PRI: the peer has sent urgent data. A read stops at the urgent mark and looks short, also with SO_OOBINLINE, and
    /// splice(2) does not get past the mark at all (net/ipv4/tcp.c, tcp_recvmsg_locked and tcp_read_sock).
    /// </summary>
    Urgent = 8,
}
