namespace L4Balancer.Bench.Peers;

/// <summary>What a backend of the bench does with a connection. Each has its own port, at this offset from a base.</summary>
internal enum PeerRole
{
    /// <summary>Sends back what it receives.</summary>
    Echo,

    /// <summary>Discards what it receives, in the kernel.</summary>
    Sink,

    /// <summary>Sends until it is stopped.</summary>
    Source,

    /// <summary>Not for balancers: answers <see cref="PeerCounters"/>, and ends the process with its connection.</summary>
    Control,
}
