namespace L4Balancer.Core.Health;

/// <summary>
/// The times at which a backend is probed: the first probe at a random time within one interval, so that probes of many backends do
/// not coincide, and each further one an interval later, plus or minus the jitter. One caller at a time, because
/// <see cref="Random"/> is not thread-safe.
/// </summary>
/// <param name="interval">Interval of <see cref="ProbePace.Steady"/>.</param>
/// <param name="fast">Interval while a state change is pending; never longer than <paramref name="interval"/>.</param>
/// <param name="down">Interval while the backend is not up.</param>
/// <param name="jitter">Maximum deviation, as a fraction of the interval, 0 to 1.</param>
public sealed class ProbeSchedule(TimeSpan interval, TimeSpan fast, TimeSpan down, double jitter, Random random)
{
    private readonly TimeSpan _fast = fast < interval ? fast : interval;

    public TimeSpan First() => interval * random.NextDouble();

    public TimeSpan Next(ProbePace pace)
    {
        TimeSpan wait = pace == ProbePace.Fast ? _fast : pace == ProbePace.Down ? down : interval;
        return wait * (1 + (jitter * ((2 * random.NextDouble()) - 1)));
    }
}
