using L4Balancer.Core.Accounting;
using L4Balancer.Core.Config;

namespace L4Balancer.Core.Routing;

/// <summary>One listener in one snapshot, with the pool that it feeds.</summary>
public sealed record Listener(ListenerSettings Settings, Pool Pool, ListenerCell Cell)
{
    public string Name => Settings.Name;
}
