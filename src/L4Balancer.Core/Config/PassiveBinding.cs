namespace L4Balancer.Core.Config;

/// <summary><c>[pools.passive]</c>.</summary>
internal static class PassiveBinding
{
    private const int MostFailures = 1_000_000;

    private static readonly PassiveSettings Defaults = new();
    private static readonly TimeSpan ShortestRetry = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan LongestEarlyClose = TimeSpan.FromHours(1);

    public static PassiveSettings Bind(TableBinder table)
    {
        PassiveSettings passive = new()
        {
            Failures = table.Integer("failures", Defaults.Failures, 0, MostFailures),
            Retry = table.Duration("retry", Defaults.Retry, ShortestRetry, Duration.LongestMilliseconds),
            EarlyClose = table.Duration("early_close", Defaults.EarlyClose, TimeSpan.Zero, LongestEarlyClose),
        };
        if (passive is { Failures: 0, EarlyClose.Ticks: > 0 } && table.TryGet("early_close", out Setting setting))
        {
            setting.Reject("has no effect, because failures = 0 switches passive checks off; set failures, or leave early_close out");
        }

        return passive;
    }
}
