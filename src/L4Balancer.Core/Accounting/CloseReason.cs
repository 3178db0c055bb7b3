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
