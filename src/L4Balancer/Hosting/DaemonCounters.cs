using L4Balancer.Core.Accounting;
using L4Balancer.Core.Dns;
using L4Balancer.Core.Routing;
using L4Balancer.Discovery;
using L4Balancer.Engine;
using L4Balancer.Fleet;
using L4Balancer.Metrics;
using L4Balancer.Packets;
using L4Balancer.Recovery;

namespace L4Balancer.Hosting;

/// <summary>What a daemon counts outside of its snapshots. It is shown in the metrics, and carried to the process that replaces this one.</summary>
/// <param name="questions">Of DNS; null if it is not served.</param>
internal sealed class DaemonCounters(DiscoveryService discovery, DnsCounters? questions)
{
    /// <summary>Connections of daemons that have crashed.</summary>
    public RecoveryCounters Recovered { get; } = new();

    public DnsCounters? Questions => questions;

    /// <summary>Creates the metrics, which show these counters beside what they read from the other sources.</summary>
    /// <param name="workers">How many event loops there are.</param>
    public BalancerMetrics Metrics(
        Func<RoutingSnapshot> snapshot, Func<IEngine?> engine, Func<FleetStatus?> fleet, Func<PacketTotals> packets, int workers,
        TimeProvider clock) =>
        new(snapshot, engine, clock, workers, questions, fleet) { Discovery = discovery.Of, Recovered = Recovered, Packets = packets };

    /// <param name="metrics">Which count as well; null: there are none.</param>
    public IReadOnlyCollection<ICarriedCounters> CarriedWith(BalancerMetrics? metrics) =>
        [Recovered, discovery, .. metrics?.Carried ?? [], .. questions is null ? Array.Empty<ICarriedCounters>() : [questions]];
}
