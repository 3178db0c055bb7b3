namespace L4Balancer.Core.Config;

/// <summary><c>[pools.passive]</c>.</summary>
internal static class PassiveBinding
{
    private const int MostFailures = 1_000_000;

    private static readonly PassiveSettings Defaults = new();
    private static readonly TimeSpan ShortestRetry = TimeSpan.FromMilliseconds(10);

    public static PassiveSettings Bind(TableBinder table) => new()
    {
        Failures = table.Integer("failures", Defaults.Failures, 0, MostFailures),
        Retry = table.Duration("retry", Defaults.Retry, ShortestRetry, Duration.LongestMilliseconds),
    };
}
