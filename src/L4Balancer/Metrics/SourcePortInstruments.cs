using System.Diagnostics.Metrics;
using L4Balancer.Core.Ports;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Timing;

namespace L4Balancer.Metrics;

/// <summary>Local ports by the address that is connected from, counted towards the fullest destination, when someone asks.</summary>
internal sealed class SourcePortInstruments
{
    private readonly Func<RoutingSnapshot> _snapshot;
    private readonly TimeProvider _clock;
    private volatile (PortUse Use, int InUse)[]? _fullest;

    public SourcePortInstruments(Meter meter, Func<RoutingSnapshot> snapshot, TimeProvider clock)
    {
        _snapshot = snapshot;
        _clock = clock;
        meter.CreateObservableGauge(
            MetricNames.SourcePortsInUse, () => Look().Select(f => Measure(f.Use, f.InUse)), null,
            "Local ports in use from this source to its fullest destination: of connections, and in TIME_WAIT under a minute ago.");
        meter.CreateObservableGauge(
            MetricNames.SourcePortsLimit, () => (_fullest ?? Look()).Where(f => f.Use.Limit > 0).Select(f => Measure(f.Use, f.Use.Limit)), null,
            "Local ports that one source has towards one destination.");
    }

    // Both are asked in the order in which they were made: the first looks at all ports, the second at what it has found.
    private (PortUse Use, int InUse)[] Look() => _fullest = [.. _snapshot().Ports.Fullest(Instant.Now(_clock))];

    private static Measurement<long> Measure(PortUse use, long value) =>
        new(value, new KeyValuePair<string, object?>(MetricNames.SourceIp, use.Source.Label));
}
