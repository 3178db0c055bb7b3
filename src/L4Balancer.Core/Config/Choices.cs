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
    Tcp,
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
