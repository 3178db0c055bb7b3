namespace L4Balancer.Core.Config;

/// <summary><c>[pools.health]</c>.</summary>
internal static class HealthBinding
{
    private static readonly HealthSettings Defaults = new();
    private static readonly TimeSpan ShortestInterval = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan ShortestTimeout = TimeSpan.FromMilliseconds(1);

    public static HealthSettings Bind(TableBinder table) => new()
    {
        Type = table.Choice("type", Defaults.Type, Vocabulary.Health),
        Interval = table.Duration("interval", Defaults.Interval, ShortestInterval, Duration.LongestMilliseconds),
        Jitter = table.Number("jitter", Defaults.Jitter, 0, 0.5),
        Timeout = table.Duration("timeout", Defaults.Timeout, ShortestTimeout, Duration.LongestMilliseconds),
        Rise = table.Integer("rise", Defaults.Rise, 1, 100),
        Fall = table.Integer("fall", Defaults.Fall, 1, 100),
        Port = table.Integer("port", Defaults.Port, 0, 65_535),
    };
}
