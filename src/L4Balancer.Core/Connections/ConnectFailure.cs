namespace L4Balancer.Core.Connections;

/// <summary>Why connecting to a backend failed, as far as it decides what happens next.</summary>
public enum ConnectFailure
{
    /// <summary>The backend's host answered with a reset (ECONNREFUSED), or it was anything else that cannot be ours.</summary>
    Refused,

    /// <summary>The network said that there is no way (EHOSTUNREACH, ENETUNREACH, …).</summary>
    Unreachable,

    /// <summary>Nothing answered in time (the attempt's deadline, or ETIMEDOUT).</summary>
    TimedOut,

    /// <summary>No local port is free from this source to this destination (connect(2), EADDRNOTAVAIL): never the backend's fault.</summary>
    NoFreePort,

    /// <summary>The source address is not one of this host (bind(2), EADDRNOTAVAIL): a fault of the configuration.</summary>
    SourceUnusable,

    /// <summary>This host does not speak the backend's address family (socket(2), EAFNOSUPPORT).</summary>
    NoSuchFamily,

    /// <summary>A policy of this host forbids it (connect(2), EPERM or EACCES): it says nothing of the backend.</summary>
    NotPermitted,

    /// <summary>Our own lack of descriptors or memory (EMFILE, ENFILE, ENOBUFS, ENOMEM).</summary>
    LocalShortage,
}
