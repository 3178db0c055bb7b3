using System.Diagnostics.Metrics;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Timing;

namespace L4Balancer.Metrics;

/// <summary>
/// What is counted per pool, read from each <see cref="PoolState"/> at a scrape. Of a pool that has left the file the counter stays that is
/// not zero, and the gauge while it is not.
/// </summary>
internal sealed class PoolInstruments
{
    private static readonly (EndpointResult Result, string Name)[] EndpointResults =
    [
        (EndpointResult.Success, MetricNames.Success), (EndpointResult.NoBackend, MetricNames.NoBackend), (EndpointResult.Limited, MetricNames.Limited),
    ];

    private readonly List<PoolSeries> _pools;
    private readonly Func<RoutingSnapshot> _snapshot;
    private readonly TimeProvider _clock;

    /// <param name="group">Its members change between two scrapes.</param>
    public PoolInstruments(SeriesGroup<PoolSeries> group, Func<RoutingSnapshot> snapshot, TimeProvider clock)
    {
        _pools = group.Members;
        _snapshot = snapshot;
        _clock = clock;
        group.Meter.CreateObservableGauge(
            MetricNames.StickyEntries, StickyEntries, null, "Keys that the table of [pools.sticky] holds; 0 without a table.");
        group.Meter.CreateObservableGauge(
            MetricNames.ConnectionsHalfClosed, HalfClosed, null, "Established connections of which one side has finished.");
        group.Meter.CreateObservableCounter(
            MetricNames.QueueAbandoned, Abandoned, null,
            "Connections whose client left without a byte while they waited for new_connection_rate.");
        group.Meter.CreateObservableCounter(
            MetricNames.EndpointAnswers, EndpointAnswers, null, "Answers to clients that asked for the URL of a backend of this pool.");
    }

    // Of a pool without a public_url there is nothing to answer.
    private IEnumerable<Measurement<long>> EndpointAnswers()
    {
        HashSet<PoolState> handing = [.. _snapshot().Pools.Where(p => p.HasPublicUrls).Select(p => p.State)];
        foreach (PoolSeries pool in _pools.Where(p => handing.Contains(p.State) || p.State.EndpointAnswers.Total > 0))
        {
            foreach ((EndpointResult result, string name) in EndpointResults)
            {
                yield return new Measurement<long>(
                    pool.State.EndpointAnswers[result], new(MetricNames.Pool, pool.State.Name), new(MetricNames.Result, name));
            }
        }
    }

    private IEnumerable<Measurement<long>> HalfClosed() => Of(static p => p.HalfClosed);

    private IEnumerable<Measurement<long>> Abandoned() => Of(static p => p.QueueAbandoned);

    private IEnumerable<Measurement<long>> StickyEntries()
    {
        RoutingSnapshot snapshot = _snapshot();
        Instant now = Instant.Now(_clock);
        Dictionary<PoolState, int> counts = snapshot.Pools.ToDictionary(p => p.State, p => p.Sticky?.Count(p.Settings.Sticky.Ttl, now) ?? 0);
        return Of(p => counts.GetValueOrDefault(p));
    }

    private IEnumerable<Measurement<long>> Of(Func<PoolState, long> value) =>
        from pool in _pools
        let now = value(pool.State)
        where pool.IsInForce || now > 0
        select new Measurement<long>(now, new KeyValuePair<string, object?>(MetricNames.Pool, pool.State.Name));
}

/// <summary>A pool in the configuration, or one that has left it.</summary>
internal sealed record PoolSeries(PoolState State, bool IsInForce);
