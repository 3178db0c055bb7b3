using L4Balancer.Engine.Linux;

namespace L4Balancer.Engine.Loop;

/// <summary>
/// Waits until descriptors are ready, for one <see cref="Worker"/>. Each descriptor is registered once, with data of the caller's choice
/// (<see cref="EventTag"/>). For one thread, except <see cref="Remove"/> and the Add methods, which any thread may call.
/// </summary>
internal interface IPoller : IDisposable
{
    /// <summary>Maximum number of events that one wait returns.</summary>
    const int EventsPerWait = 512;

    /// <summary>Watches a connection for everything in <see cref="PollEvents"/>, edge-triggered.</summary>
    SysResult AddConnection(int descriptor, ulong data);

    /// <summary>
    /// Makes the next wait report everything that a watched connection is ready for, also edges that an earlier wait has returned.
    /// </summary>
    SysResult ReportAgain(int descriptor, ulong data);

    /// <summary>Watches a listening socket, level-triggered. A new connection wakes one of the threads that watch the socket, not all.</summary>
    SysResult AddListening(int descriptor, ulong data);

    /// <summary>Watches a descriptor for input, level-triggered.</summary>
    SysResult AddInput(int descriptor, ulong data);

    SysResult Remove(int descriptor);

    /// <param name="milliseconds">-1: no timeout. An interrupted wait returns no events; the caller waits again.</param>
    /// <returns>The number of events, readable by <see cref="Events"/> and <see cref="Data"/> until the next wait.</returns>
    int Wait(int milliseconds);

    PollEvents Events(int index);

    ulong Data(int index);
}

/// <summary>What a descriptor is ready for, with the values of poll(2), which epoll(7) and io_uring(7) share.</summary>
[Flags]
internal enum PollEvents : uint
{
    None = 0,
    Readable = 0x0001,

    /// <summary>Urgent data (POLLPRI).</summary>
    Urgent = 0x0002,

    Writable = 0x0004,

    /// <summary>An error is pending on the socket (POLLERR).</summary>
    Error = 0x0008,

    /// <summary>Both directions have ended (POLLHUP).</summary>
    HangUp = 0x0010,

    /// <summary>The peer has ended its direction (POLLRDHUP).</summary>
    PeerFinished = 0x2000,
}
