namespace L4Balancer.Core.Health;

/// <summary>
/// When a backend is probed: the first probe anywhere within one interval, so that many backends do not come in one burst, and each
/// further one an interval later, give or take the jitter. One caller at a time, as <see cref="Random"/> demands.
/// </summary>
/// <param name="interval">Of the steady pace.</param>
/// <param name="fast">While a change of state is open; where the steady pace is faster, that stays.</param>
/// <param name="down">While the backend is not up.</param>
/// <param name="jitter">Share of the interval, 0 to 1.</param>
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
