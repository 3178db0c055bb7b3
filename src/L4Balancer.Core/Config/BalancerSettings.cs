namespace L4Balancer.Core.Config;

/// <summary>The table <c>[balancer]</c>.</summary>
public sealed record BalancerSettings
{
    /// <summary>Number of event-loop threads; 0 means one per available processor.</summary>
    public int Workers { get; init; }

    public EngineKind Engine { get; init; } = EngineKind.Auto;

    /// <summary>Maximum number of connections; 0 means as many as the descriptor limit allows after the reserve.</summary>
    public int MaxConnections { get; init; }

    /// <summary>
    /// Maximum memory that all connections together hold for peers that do not read; 0 means an eighth of what the machine or the
    /// container has.
    /// </summary>
    public ByteSize HeldMemory { get; init; }

    /// <summary>
    /// Time after the stop signal during which the daemon reports not ready but still accepts connections; zero means none.
    /// </summary>
    public TimeSpan ShutdownDelay { get; init; }

    /// <summary>Time over which established connections are closed at shutdown; zero means all at once.</summary>
    public TimeSpan ShutdownGrace { get; init; } = TimeSpan.FromSeconds(30);

    public AccessLogMode AccessLog { get; init; } = AccessLogMode.Failures;

    /// <summary>Null means text, or journal under systemd.</summary>
    public LogFormat? LogFormat { get; init; }

    public LogLevel LogLevel { get; init; } = LogLevel.Info;
}

/// <summary><c>[balancer]</c>.</summary>
internal static class BalancerBinding
{
    private static readonly BalancerSettings Defaults = new();

    public static BalancerSettings Bind(TableBinder table) => new()
    {
        Workers = table.Integer("workers", Defaults.Workers, 0, 1024),
        Engine = table.Choice("engine", Defaults.Engine, Vocabulary.Engine),
        MaxConnections = table.Integer("max_connections", Defaults.MaxConnections, 0, int.MaxValue),
        HeldMemory = table.Size("held_memory", Defaults.HeldMemory, 1L << 20, 1L << 50),
        ShutdownDelay = table.Duration("shutdown_delay", Defaults.ShutdownDelay, TimeSpan.Zero, Duration.LongestMilliseconds),
        ShutdownGrace = table.Duration("shutdown_grace", Defaults.ShutdownGrace, TimeSpan.Zero, Duration.Longest),
        AccessLog = table.Choice("access_log", Defaults.AccessLog, Vocabulary.AccessLog),
        LogFormat = table.Choice("log_format", Defaults.LogFormat, Vocabulary.LogFormat),
        LogLevel = table.Choice("log_level", Defaults.LogLevel, Vocabulary.LogLevel),
    };
}
