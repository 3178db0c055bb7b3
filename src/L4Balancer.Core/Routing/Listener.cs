using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;

namespace L4Balancer.Core.Routing;

/// <summary>One listener in one snapshot, with its pool.</summary>
public sealed record Listener(ListenerSettings Settings, Pool Pool, ListenerState State)
{
    private readonly PrefixSet _allow = new(Settings.Allow);
    private readonly PrefixSet _deny = new(Settings.Deny);

    public string Name => Settings.Name;

    /// <summary>The part that its connections keep.</summary>
    public ConnectionOrigin Origin { get; init; } = new(State, Pool.State, ConnectionPolicy.Of(Pool.Settings), Pool.Sticky);

    /// <summary>Whether a client's address is admitted: not denied, and in the allow list if there is one.</summary>
    public bool Allows(HostAddress client) => !_deny.Contains(client) && (_allow.IsEmpty || _allow.Contains(client));

    /// <summary>Whether its addresses are to be listened on now (<c>on_pool_down</c>); changes with the health of the pool.</summary>
    public bool IsOpen => Settings.OnPoolDown == OnPoolDown.Refuse || Pool.TakesAny;

    /// <summary>Whether connections have to be counted by their source address.</summary>
    public bool LimitsSources => Settings.MaxConnectionsPerSource > 0 || Settings.ConnectionRatePerSource > 0;
}
