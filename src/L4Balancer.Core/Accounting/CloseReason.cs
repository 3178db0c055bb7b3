namespace L4Balancer.Core.Accounting;

/// <summary>
/// Why a connection ended or was refused, and which side caused it. <see cref="CloseReasons"/> has the names that users see.
/// </summary>
public enum CloseReason : byte
{
    None,
    ClientClosed,
    BackendClosed,
    ClientReset,
    BackendReset,

    /// <summary>The kernel gave the client up (keepalive, user_timeout, no route): the peer or the path to it is gone.</summary>
    ClientTimeout,

    /// <summary>As <see cref="ClientTimeout"/>, of the backend.</summary>
    BackendTimeout,
    IdleTimeout,
    HalfCloseTimeout,
    MaxAge,
    BackendRemoved,
    ConnectFailed,
    ConnectTimeout,
    NoBackend,
    SourcePortsExhausted,
    InspectTimeout,
    InspectInvalid,
    ProxyHeaderInvalid,
    Denied,
    Limit,
    Drain,
    Rebalance,
    BackendDown,
    Admin,
    Shutdown,
    Internal,
}
