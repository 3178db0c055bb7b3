namespace L4Balancer.Core.Config;

/// <summary>
/// <c>keepalive</c>: TCP_KEEPIDLE, TCP_KEEPINTVL (whole seconds) and TCP_KEEPCNT (tcp(7)). An idle time of zero means off.
/// </summary>
public sealed record KeepaliveSettings
{
    public TimeSpan Idle { get; init; } = TimeSpan.FromSeconds(60);

    public TimeSpan Interval { get; init; } = TimeSpan.FromSeconds(20);

    public int Count { get; init; } = 3;
}
