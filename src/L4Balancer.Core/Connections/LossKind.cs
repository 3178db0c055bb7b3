namespace L4Balancer.Core.Connections;

/// <summary>How an established connection to a peer was lost.</summary>
public enum LossKind : byte
{
    /// <summary>The peer reset it.</summary>
    Reset,

    /// <summary>
    /// The kernel gave it up: nothing was acknowledged (ETIMEDOUT of keepalive, TCP_USER_TIMEOUT or tcp_retries2), or the network reported
    /// that the peer cannot be reached (EHOSTUNREACH, ENETUNREACH).
    /// </summary>
    TimedOut,
}
