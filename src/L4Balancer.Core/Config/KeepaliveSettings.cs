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

/// <summary><c>keepalive</c> of listeners and pools. Keys that are not given keep their defaults.</summary>
internal static class KeepaliveBinding
{
    // tcp(7) and net/ipv4/tcp.c: MAX_TCP_KEEPIDLE and MAX_TCP_KEEPINTVL are 32767 seconds, MAX_TCP_KEEPCNT is 127.
    private const int MostProbes = 127;
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(32_767);

    private static readonly KeepaliveSettings Defaults = new();

    public static KeepaliveSettings Bind(TableBinder table) => new()
    {
        Idle = table.WholeSeconds("idle", Defaults.Idle, TimeSpan.Zero, Longest),
        Interval = table.WholeSeconds("interval", Defaults.Interval, TimeSpan.FromSeconds(1), Longest),
        Count = table.Integer("count", Defaults.Count, 1, MostProbes),
    };
}
