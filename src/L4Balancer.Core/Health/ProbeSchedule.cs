namespace L4Balancer.Core.Health;

/// <summary>
/// The times at which a backend is probed: the first probe at a random time within one interval and at most two seconds, so that probes
/// of many backends do not coincide, and each further one an interval later, plus or minus the jitter. One caller at a time, because
/// <see cref="Random"/> is not thread-safe.
/// </summary>
/// <param name="interval">Interval of <see cref="ProbePace.Steady"/>.</param>
/// <param name="fast">Interval while a state change is pending; never longer than <paramref name="interval"/>.</param>
/// <param name="down">Interval while the backend is not up.</param>
/// <param name="jitter">Maximum deviation, as a fraction of the interval, 0 to 1.</param>
public sealed class ProbeSchedule(TimeSpan interval, TimeSpan fast, TimeSpan down, double jitter, Random random)
{
    /// <summary>The longest time over which the first probes are spread: until then nothing is known of the backend.</summary>
    public static readonly TimeSpan LongestSpread = TimeSpan.FromSeconds(2);

    private readonly TimeSpan _fast = fast < interval ? fast : interval;

    /// <summary>The time until the first probe of a backend of which nothing else is known.</summary>
    public TimeSpan First() => (interval < LongestSpread ? interval : LongestSpread) * random.NextDouble();

    /// <summary>The time until the first probe under another interval: spread over all of it, because the state is known.</summary>
    public TimeSpan Anew() => interval * random.NextDouble();

    public TimeSpan Next(ProbePace pace)
    {
        TimeSpan wait = pace == ProbePace.Fast ? _fast : pace == ProbePace.Down ? down : interval;
        return wait * (1 + (jitter * ((2 * random.NextDouble()) - 1)));
    }
}
