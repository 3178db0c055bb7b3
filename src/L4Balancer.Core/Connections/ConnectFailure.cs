namespace L4Balancer.Core.Connections;

/// <summary>Why connecting to a backend failed, as far as the next step depends on it.</summary>
public enum ConnectFailure
{
    /// <summary>The backend's host answered with a reset (ECONNREFUSED), or any other error that this host cannot have caused.</summary>
    Refused,

    /// <summary>The network reported that there is no route (EHOSTUNREACH, ENETUNREACH, …).</summary>
    Unreachable,

    /// <summary>Nothing answered in time (the attempt's deadline, or ETIMEDOUT).</summary>
    TimedOut,

    /// <summary>
    /// The attempt's deadline passed while the balancer itself stood still (SIGSTOP, a paused virtual machine, no processor to run on), and
    /// nothing had answered when it went on: not counted against the backend.
    /// </summary>
    NotObserved,

    /// <summary>
    /// The queue of the backend's UNIX socket is full (connect(2), EAGAIN). Where TCP would wait for room, the kernel refuses at once, so this
    /// is not counted against the backend either.
    /// </summary>
    QueueFull,

    /// <summary>No local port is free from this source to this destination (connect(2), EADDRNOTAVAIL): never the backend's fault.</summary>
    NoFreePort,

    /// <summary>The source address does not belong to this host (bind(2), EADDRNOTAVAIL): a fault of the configuration.</summary>
    SourceUnusable,

    /// <summary>This host does not support the backend's address family (socket(2), EAFNOSUPPORT).</summary>
    NoSuchFamily,

    /// <summary>
    /// The kernel refuses to connect from the client's own address (IP_TRANSPARENT, EPERM): this process lacks CAP_NET_ADMIN.
    /// </summary>
    NotTransparent,

    /// <summary>A policy of this host forbids it (connect(2), EPERM or EACCES): not counted against the backend.</summary>
    NotPermitted,

    /// <summary>This process or host lacks descriptors or memory (EMFILE, ENFILE, ENOBUFS, ENOMEM).</summary>
    LocalShortage,
}
