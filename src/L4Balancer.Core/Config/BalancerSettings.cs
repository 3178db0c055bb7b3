namespace L4Balancer.Core.Config;

/// <summary>The table <c>[balancer]</c>.</summary>
public sealed record BalancerSettings
{
    /// <summary>Event-loop threads; 0: one per available processor.</summary>
    public int Workers { get; init; }

    public EngineKind Engine { get; init; } = EngineKind.Auto;

    /// <summary>0: what the descriptor limit allows, reserve kept.</summary>
    public int MaxConnections { get; init; }

    /// <summary>From the signal on: not ready any more, but connections are still accepted; zero: at once.</summary>
    public TimeSpan ShutdownDelay { get; init; }

    /// <summary>Established connections are closed spread over this time; zero: at once.</summary>
    public TimeSpan ShutdownGrace { get; init; } = TimeSpan.FromSeconds(30);

    public AccessLogMode AccessLog { get; init; } = AccessLogMode.Failures;

    /// <summary>Null: text, or journal under systemd.</summary>
    public LogFormat? LogFormat { get; init; }

    public LogLevel LogLevel { get; init; } = LogLevel.Info;
}
