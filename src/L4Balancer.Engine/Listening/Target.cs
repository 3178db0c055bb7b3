using L4Balancer.Core.Routing;

namespace L4Balancer.Engine.Listening;

/// <summary>A listener together with the snapshot that it belongs to, so that both are read at once.</summary>
internal sealed record Target(RoutingSnapshot Snapshot, Listener Listener);
