using System.Diagnostics.Metrics;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Ports;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Timing;

namespace L4Balancer.Metrics;

/// <summary>Local ports by the address that is connected from, counted towards the fullest destination, read at a scrape.</summary>
internal sealed class SourcePortInstruments
{
    private readonly List<LocalAddressState> _sources;
    private readonly Func<RoutingSnapshot> _snapshot;
    private readonly TimeProvider _clock;

    /// <param name="group">Its members change between two scrapes.</param>
    public SourcePortInstruments(SeriesGroup<LocalAddressState> group, Func<RoutingSnapshot> snapshot, TimeProvider clock)
    {
        _sources = group.Members;
        _snapshot = snapshot;
        _clock = clock;
        Meter meter = group.Meter;
        meter.CreateObservableGauge(
            MetricNames.SourcePortsInUse, InUse, null,
            "Local ports in use from this source to its fullest destination: of connections, and in TIME_WAIT under a minute ago.");
        meter.CreateObservableGauge(
            MetricNames.SourcePortsLimit, Limit, null, "Local ports that one source has towards one destination.");
        meter.CreateObservableCounter(
            MetricNames.SourcePortsExhausted, Exhausted, null,
            "Connects that found no free local port from this source to their destination.");
    }

    private IEnumerable<Measurement<long>> InUse()
    {
        Dictionary<LocalAddressState, int> fullest = _snapshot().Ports.Fullest(Instant.Now(_clock)).ToDictionary(f => f.Use.Source, f => f.InUse);
        return _sources.Select(s => Measure(s, fullest.GetValueOrDefault(s)));
    }

    // Where the system does not say what the range is, there is no series.
    private IEnumerable<Measurement<long>> Limit() =>
        _snapshot().Ports.Supply.Range.Count is > 0 and int limit ? _sources.Select(s => Measure(s, limit)) : [];

    private IEnumerable<Measurement<long>> Exhausted() => _sources.Select(s => Measure(s, s.Exhausted));

    private static Measurement<long> Measure(LocalAddressState source, long value) =>
        new(value, new KeyValuePair<string, object?>(MetricNames.SourceIp, source.Label));
}
