namespace L4Balancer.Core.Pacing;

/// <summary>How fast a number of connections is closed: at a rate, or evenly spread over a duration.</summary>
public readonly record struct Tempo
{
    private readonly int _perSecond;
    private readonly TimeSpan? _within;

    private Tempo(int perSecond, TimeSpan? within)
    {
        _perSecond = perSecond;
        _within = within;
    }

    /// <param name="perSecond">Connections per second; 0 means all at once.</param>
    public static Tempo AtRate(int perSecond) => new(perSecond, null);

    /// <summary>
    /// The first is closed at once, the last one interval before the end. After a stall the rest is spread over the remaining time.
    /// </summary>
    public static Tempo Within(TimeSpan time) => new(0, time);

    /// <summary>The tempo of the remainder after some time has elapsed.</summary>
    public Tempo After(TimeSpan elapsed) =>
        _within is TimeSpan within ? Within(elapsed < within ? within - elapsed : TimeSpan.Zero) : this;

    /// <summary>The interval between two closes from now on; zero means no limit.</summary>
    /// <param name="left">Number of connections that remain to be closed.</param>
    /// <param name="elapsed">Time since the first close.</param>
    public TimeSpan Between(int left, TimeSpan elapsed) =>
        _within is not TimeSpan within ? Pace.Between(_perSecond)
        : left == 0 || elapsed >= within ? TimeSpan.Zero
        : (within - elapsed) / left;
}
