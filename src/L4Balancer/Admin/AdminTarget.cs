using L4Balancer.Control;
using L4Balancer.Engine;
using L4Balancer.Logging;
using L4Balancer.Metrics;

namespace L4Balancer.Admin;

/// <summary>What the admin API shows and changes.</summary>
/// <param name="IsReady">Whether it takes connections and goes on to; false while it drains.</param>
internal sealed record AdminTarget(
    BalancerControl Control, IEngine Engine, PrometheusEndpoint Metrics, RecentLines Events, TimeProvider Clock, DateTimeOffset StartedAt,
    Func<bool> IsReady);
