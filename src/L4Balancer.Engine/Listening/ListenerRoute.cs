using L4Balancer.Core.Routing;

namespace L4Balancer.Engine.Listening;

/// <summary>A listener together with its snapshot, so that both are read at once.</summary>
internal sealed record ListenerRoute(RoutingSnapshot Snapshot, Listener Listener);
