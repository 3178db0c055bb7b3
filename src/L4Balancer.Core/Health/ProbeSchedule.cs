namespace L4Balancer.Core.Health;

/// <summary>
/// When a backend is probed: the first probe anywhere within one interval, so that many backends do not come in one burst, and each
/// further one an interval later, give or take the jitter. One caller at a time, as <see cref="Random"/> demands.
/// </summary>
/// <param name="jitter">Share of the interval, 0 to 1.</param>
public sealed class ProbeSchedule(TimeSpan interval, double jitter, Random random)
{
    public TimeSpan First() => interval * random.NextDouble();

    public TimeSpan Next() => interval * (1 + (jitter * ((2 * random.NextDouble()) - 1)));
}
