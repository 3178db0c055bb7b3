namespace L4Balancer.Core.Config;

/// <summary><c>keepalive</c> of listeners and pools. A part may be given; the rest keeps its default.</summary>
internal static class KeepaliveBinding
{
    // tcp(7) and net/ipv4/tcp.c: MAX_TCP_KEEPIDLE and MAX_TCP_KEEPINTVL are 32767 seconds, MAX_TCP_KEEPCNT is 127.
    private const int LongestSeconds = 32_767;
    private const int MostProbes = 127;

    private static readonly KeepaliveSettings Defaults = new();

    public static KeepaliveSettings Bind(TableBinder table) => new()
    {
        Idle = WholeSeconds(table, "idle", Defaults.Idle, 0),
        Interval = WholeSeconds(table, "interval", Defaults.Interval, 1),
        Count = table.Integer("count", Defaults.Count, 1, MostProbes),
    };

    private static TimeSpan WholeSeconds(TableBinder table, string key, TimeSpan fallback, int minimum)
    {
        if (!table.TryGet(key, out Setting setting)
            || !setting.TryDuration(TimeSpan.FromSeconds(minimum), TimeSpan.FromSeconds(LongestSeconds), out TimeSpan value))
        {
            return fallback;
        }

        bool whole = value.Ticks % TimeSpan.TicksPerSecond == 0
            || setting.Reject(
                $"\"{Duration.Format(value)}\" is no whole number of seconds; allowed: \"{minimum}s\" to \"{LongestSeconds}s\"");
        return whole ? value : fallback;
    }
}
