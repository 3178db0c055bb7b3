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

    /// <summary>Our own lack of descriptors or memory (EMFILE, ENFILE, ENOBUFS, ENOMEM).</summary>
    LocalShortage,
}
