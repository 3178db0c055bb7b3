namespace L4Balancer.Core.Config;

/// <summary>The table <c>[pools.passive]</c>: passive health, based on connects made for clients.</summary>
public sealed record PassiveSettings
{
    /// <summary>Consecutive failed connects after which a backend is marked down; 0 means never.</summary>
    public int Failures { get; init; } = 5;

    /// <summary>
    /// A connection that the backend ends sooner than this after the connect, without a byte, counts as a failed connect; zero means never.
    /// </summary>
    public TimeSpan EarlyClose { get; init; }

    /// <summary>Without probes: time after which one trial connection is allowed.</summary>
    public TimeSpan Retry { get; init; } = TimeSpan.FromSeconds(10);
}

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
