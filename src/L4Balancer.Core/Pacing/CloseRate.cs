namespace L4Balancer.Core.Pacing;

/// <summary>How fast a number of connections is closed: at a rate, or evenly spread over a duration.</summary>
public readonly record struct CloseRate
{
    private readonly int _perSecond;
    private readonly TimeSpan? _within;

    private CloseRate(int perSecond, TimeSpan? within)
    {
        _perSecond = perSecond;
        _within = within;
    }

    /// <param name="perSecond">Connections per second; 0 means all at once.</param>
    public static CloseRate AtRate(int perSecond) => new(perSecond, null);

    /// <summary>
    /// The first is closed at once, the last one interval before the end. After a stall the rest is spread over the remaining time.
    /// </summary>
    public static CloseRate Within(TimeSpan time) => new(0, time);

    /// <summary>Connections per second; null if it is a duration instead.</summary>
    public int? PerSecond => _within is null ? _perSecond : null;

    /// <summary>The duration; null if it is a rate instead.</summary>
    public TimeSpan? Duration => _within;

    /// <summary>The rate of the remainder after some time has elapsed.</summary>
    public CloseRate After(TimeSpan elapsed) =>
        _within is TimeSpan within ? Within(elapsed < within ? within - elapsed : TimeSpan.Zero) : this;

    /// <summary>The interval between two closes from now on; zero means no limit.</summary>
    /// <param name="left">Number of connections that remain to be closed.</param>
    /// <param name="elapsed">Time since the first close.</param>
    public TimeSpan Between(int left, TimeSpan elapsed) =>
        _within is not TimeSpan within ? RateLimiter.Between(_perSecond)
        : left == 0 || elapsed >= within ? TimeSpan.Zero
        : (within - elapsed) / left;
}
