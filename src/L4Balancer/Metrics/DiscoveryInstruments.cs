using System.Diagnostics.Metrics;
using L4Balancer.Core.Timing;
using L4Balancer.Discovery;

namespace L4Balancer.Metrics;

/// <summary>What is known of the sources of <c>[pools.discovery]</c>, read at a scrape. Only pools that have one have series.</summary>
internal sealed class DiscoveryInstruments
{
    private readonly List<PoolSeries> _pools;
    private readonly Func<string, DiscoveryStatus?> _statusOf;
    private readonly TimeProvider _clock;

    /// <param name="group">Its members change between two scrapes.</param>
    /// <param name="statusOf">By the name of the pool; null if it has no source at the moment.</param>
    public DiscoveryInstruments(SeriesGroup<PoolSeries> group, Func<string, DiscoveryStatus?> statusOf, TimeProvider clock)
    {
        _pools = group.Members;
        _statusOf = statusOf;
        _clock = clock;
        group.Meter.CreateObservableGauge(
            MetricNames.DiscoveryBackends, Backends, null, "Backends that the source of the pool is believed to have.");
        group.Meter.CreateObservableGauge(
            MetricNames.DiscoveryAge, Age, null, "Time since the source of the pool was last readable, in seconds.");
        group.Meter.CreateObservableCounter(
            MetricNames.DiscoveryErrors, Errors, null, "Readings of the source of the pool that said nothing: it failed, or its content cannot be used.");
    }

    private IEnumerable<Measurement<long>> Backends() => Of(static s => (long)s.Belief.Count);

    private IEnumerable<Measurement<long>> Errors() => Of(static s => s.Faults);

    private IEnumerable<Measurement<double>> Age()
    {
        Instant now = Instant.Now(_clock);
        return Of(s => s.Age(now).TotalSeconds);
    }

    private IEnumerable<Measurement<T>> Of<T>(Func<DiscoveryStatus, T> value)
        where T : struct =>
        from pool in _pools
        let status = _statusOf(pool.State.Name)
        where status is not null
        select new Measurement<T>(value(status), new KeyValuePair<string, object?>(MetricNames.Pool, pool.State.Name));
}
