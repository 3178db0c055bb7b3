namespace L4Balancer.Core.Accounting;

/// <summary>Why a connection ended, by side; also why it was refused. The names that users see are in <see cref="CloseReasons"/>.</summary>
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
