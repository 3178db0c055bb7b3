using System.Diagnostics.Metrics;
using L4Balancer.Core.Accounting;

namespace L4Balancer.Metrics;

/// <summary>What is counted per pool, read from each <see cref="PoolState"/> at a scrape.</summary>
internal sealed class PoolInstruments
{
    private readonly List<PoolState> _pools;

    /// <param name="group">Its members change between two scrapes.</param>
    public PoolInstruments(SeriesGroup<PoolState> group)
    {
        _pools = group.Members;
        group.Meter.CreateObservableGauge(
            MetricNames.ConnectionsHalfClosed, HalfClosed, null, "Established connections of which one side has finished.");
        group.Meter.CreateObservableCounter(
            MetricNames.QueueAbandoned, Abandoned, null, "Connections whose client left without a byte while they waited for new_connection_rate.");
    }

    private IEnumerable<Measurement<long>> HalfClosed() => _pools.Select(p => new Measurement<long>(p.HalfClosed, Label(p)));

    private IEnumerable<Measurement<long>> Abandoned() => _pools.Select(p => new Measurement<long>(p.QueueAbandoned, Label(p)));

    private static KeyValuePair<string, object?> Label(PoolState pool) => new(MetricNames.Pool, pool.Name);
}
