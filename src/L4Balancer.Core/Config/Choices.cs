namespace L4Balancer.Core.Config;

/// <summary><c>engine</c>.</summary>
public enum EngineKind
{
    Auto,
    Epoll,
    Managed,
}

/// <summary><c>access_log</c>.</summary>
public enum AccessLogMode
{
    Off,
    Failures,
    All,
}

/// <summary><c>log_format</c>.</summary>
public enum LogFormat
{
    Text,
    Json,
    Journal,
}

/// <summary><c>log_level</c>, from the most to the least talkative.</summary>
public enum LogLevel
{
    Trace,
    Debug,
    Info,
    Warning,
    Error,
}

/// <summary><c>type</c> of <c>[pools.health]</c>.</summary>
public enum HealthType
{
    None,

    /// <summary>A connect.</summary>
    Tcp,

    /// <summary>A connect and a handshake.</summary>
    Tls,

    /// <summary>A GET, and the status of its answer.</summary>
    Http,

    /// <summary><see cref="Http"/> over TLS.</summary>
    Https,

    /// <summary>A WebSocket is opened, and a ping answered.</summary>
    Ws,

    /// <summary><see cref="Ws"/> over TLS.</summary>
    Wss,
}

/// <summary><c>balance</c>.</summary>
public enum BalanceKind
{
    Ring,
    Maglev,
    LeastConnections,
    RandomTwo,
    RoundRobin,
}

/// <summary><c>on_backend_down</c>.</summary>
public enum OnBackendDown
{
    Keep,
    Close,
}
