namespace L4Balancer.Core.Pacing;

/// <summary>How fast a number of connections is to be closed: at a rate, or evenly within a time.</summary>
public readonly record struct Tempo
{
    private readonly int _perSecond;
    private readonly TimeSpan? _within;

    private Tempo(int perSecond, TimeSpan? within)
    {
        _perSecond = perSecond;
        _within = within;
    }

    /// <param name="perSecond">0: all at once.</param>
    public static Tempo AtRate(int perSecond) => new(perSecond, null);

    /// <summary>The first at once, the last one step before the end. What a stall took is spread over what is left of the time.</summary>
    public static Tempo Within(TimeSpan time) => new(0, time);

    /// <summary>The same for what comes after it has begun.</summary>
    public Tempo After(TimeSpan elapsed) =>
        _within is TimeSpan within ? Within(elapsed < within ? within - elapsed : TimeSpan.Zero) : this;

    /// <summary>The space between two acts from now on; zero: none.</summary>
    /// <param name="left">How many are still to come.</param>
    /// <param name="elapsed">Since the first.</param>
    public TimeSpan Between(int left, TimeSpan elapsed) =>
        _within is not TimeSpan within ? Pace.Between(_perSecond)
        : left == 0 || elapsed >= within ? TimeSpan.Zero
        : (within - elapsed) / left;
}
