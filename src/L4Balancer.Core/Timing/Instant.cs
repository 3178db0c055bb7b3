namespace L4Balancer.Core.Timing;

/// <summary>
/// A point on the monotonic clock, in ticks of 100 ns since an arbitrary start. Wall-clock jumps do not move it
/// (clock_gettime(2), CLOCK_MONOTONIC). Only instants of the same <see cref="TimeProvider"/> can be compared.
/// </summary>
public readonly record struct Instant(long Ticks) : IComparable<Instant>
{
    /// <summary>Later than every other instant: a deadline that never passes.</summary>
    public static Instant Never => new(long.MaxValue);

    public static Instant Now(TimeProvider clock)
    {
        ArgumentNullException.ThrowIfNull(clock);
        return new Instant(clock.GetElapsedTime(0, clock.GetTimestamp()).Ticks);
    }

    /// <summary>The deadline of a timeout that starts now; a timeout of zero is off and gives <see cref="Never"/>.</summary>
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
