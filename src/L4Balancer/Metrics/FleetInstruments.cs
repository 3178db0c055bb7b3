using System.Diagnostics.Metrics;
using L4Balancer.Core.Fleet;
using L4Balancer.Fleet;

namespace L4Balancer.Metrics;

/// <summary>What this balancer knows of its fleet; without one there are no series.</summary>
internal sealed class FleetInstruments
{
    private static readonly (DifferenceKind Kind, string Name)[] Kinds =
    [
        (DifferenceKind.Version, MetricNames.Version), (DifferenceKind.Configuration, MetricNames.Configuration),
        (DifferenceKind.Ring, MetricNames.Ring), (DifferenceKind.Health, MetricNames.Health),
    ];

    private readonly Func<FleetStatus?> _fleet;

    /// <param name="fleet">Null without a fleet.</param>
    public FleetInstruments(Meter meter, Func<FleetStatus?> fleet)
    {
        _fleet = fleet;
        meter.CreateObservableGauge(
            MetricNames.FleetMembers, () => One(static f => f.Members.Length), null, "Balancers of the fleet that live, this one included.");
        meter.CreateObservableGauge(
            MetricNames.FleetConnected, () => One(static f => f.IsConnected ? 1 : 0), null, "1 while etcd answers this balancer.");
        meter.CreateObservableGauge(
            MetricNames.FleetDisagreement, Disagreement, null,
            "In how much the balancers of the fleet differ: versions and configurations beside the first, pools with different rings, backends with different health.");
    }

    private IEnumerable<Measurement<long>> One(Func<FleetStatus, long> value) => _fleet() is { } fleet ? [new Measurement<long>(value(fleet))] : [];

    private IEnumerable<Measurement<long>> Disagreement() => _fleet() is not { } fleet ? []
        : Kinds.Select(k => new Measurement<long>(fleet.CountOf(k.Kind), new KeyValuePair<string, object?>(MetricNames.Kind, k.Name)));
}
