using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;

namespace L4Balancer.Core.Routing;

/// <summary>One listener in one snapshot, with the pool that it feeds.</summary>
public sealed record Listener(ListenerSettings Settings, Pool Pool, ListenerCell Cell)
{
    private readonly PrefixSet _allow = new(Settings.Allow);
    private readonly PrefixSet _deny = new(Settings.Deny);

    public string Name => Settings.Name;

    /// <summary>What its connections keep of it.</summary>
    public ConnectionOrigin Origin { get; init; } = new(Cell, Pool.Cell, ConnectionPolicy.Of(Pool.Settings));

    /// <summary>Whether a client may connect at all: not denied, and allowed where only some are.</summary>
    public bool Allows(HostAddress client) => !_deny.Contains(client) && (_allow.IsEmpty || _allow.Contains(client));

    /// <summary>Whether connections have to be counted by their source.</summary>
    public bool LimitsSources => Settings.MaxConnectionsPerSource > 0 || Settings.ConnectionRatePerSource > 0;
}
