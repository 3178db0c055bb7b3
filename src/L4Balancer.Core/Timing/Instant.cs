namespace L4Balancer.Core.Timing;

/// <summary>
/// A point on the monotonic clock, in ticks of 100 ns since an arbitrary start. Wall-clock jumps do not move it
/// (clock_gettime(2), CLOCK_MONOTONIC). Only instants of one <see cref="TimeProvider"/> compare.
/// </summary>
public readonly record struct Instant(long Ticks) : IComparable<Instant>
{
    /// <summary>Later than every instant: a deadline that never comes.</summary>
    public static Instant Never => new(long.MaxValue);

    public static Instant Now(TimeProvider clock)
    {
        ArgumentNullException.ThrowIfNull(clock);
        return new Instant(clock.GetElapsedTime(0, clock.GetTimestamp()).Ticks);
    }

    /// <summary>The deadline that a timeout sets: zero switches a timeout off.</summary>
    public Instant After(TimeSpan timeout) =>
        timeout == TimeSpan.Zero || Ticks > long.MaxValue - timeout.Ticks ? Never : new Instant(Ticks + timeout.Ticks);

    public int CompareTo(Instant other) => Ticks.CompareTo(other.Ticks);

    public static Instant operator +(Instant instant, TimeSpan duration) => new(instant.Ticks + duration.Ticks);

    public static TimeSpan operator -(Instant later, Instant earlier) => new(later.Ticks - earlier.Ticks);

    public static bool operator <(Instant left, Instant right) => left.Ticks < right.Ticks;

    public static bool operator >(Instant left, Instant right) => left.Ticks > right.Ticks;

    public static bool operator <=(Instant left, Instant right) => left.Ticks <= right.Ticks;

    public static bool operator >=(Instant left, Instant right) => left.Ticks >= right.Ticks;

    public static Instant Add(Instant left, TimeSpan right) => left + right;

    public static TimeSpan Subtract(Instant left, Instant right) => left - right;
}
