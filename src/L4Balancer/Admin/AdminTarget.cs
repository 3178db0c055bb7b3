using L4Balancer.Control;
using L4Balancer.Direct;
using L4Balancer.Engine;
using L4Balancer.Fleet;
using L4Balancer.Logging;
using L4Balancer.Metrics;
using L4Balancer.Packets;
using L4Balancer.Upgrade;

namespace L4Balancer.Admin;

/// <summary>The parts of the daemon that the admin API shows and changes.</summary>
/// <param name="IsReady">Whether the daemon accepts connections; false during shutdown.</param>
internal sealed record AdminTarget(
    BalancerControl Control, IEngine Engine, PrometheusEndpoint Metrics, RecentLines Events, TimeProvider Clock, DateTimeOffset StartedAt,
    Func<bool> IsReady, EndpointDesk Endpoints, TrafficHistory History)
{
    /// <summary>Null if the balancer is alone.</summary>
    public FleetService? Fleet { get; init; }

    /// <summary>What packet listeners have sent on.</summary>
    public Func<PacketTotals> Packets { get; init; } = static () => PacketTotals.Empty;

    /// <summary>Null if the process cannot be replaced by a new one.</summary>
    public Upgrader? Upgrader { get; init; }
}
