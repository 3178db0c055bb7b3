namespace L4Balancer.Bench.Peers;

/// <summary>What the backends counted since they started, as it goes over the control connection.</summary>
internal struct PeerCounters
{
    public long Accepted;
    public long Open;

    /// <summary>Bytes that arrived at the sinks.</summary>
    public long Received;

    /// <summary>Bytes that the sources handed to the kernel.</summary>
    public long Sent;

    /// <summary>Connections that ended in an error.</summary>
    public long Errors;
}
