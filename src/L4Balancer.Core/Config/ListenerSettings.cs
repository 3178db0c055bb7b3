using System.Collections.Immutable;
using L4Balancer.Core.Addressing;

namespace L4Balancer.Core.Config;

/// <summary>One table <c>[[listeners]]</c>.</summary>
public sealed record ListenerSettings
{
    public required string Name { get; init; }

    public required ImmutableArray<Endpoint> Bind { get; init; }

    public required string Pool { get; init; }

    /// <summary>IP_FREEBIND (ip(7)): an address that this host does not have yet may be bound.</summary>
    public bool Freebind { get; init; }

    /// <summary>What becomes of the listening sockets while no backend of the pool is living.</summary>
    public OnPoolDown OnPoolDown { get; init; } = OnPoolDown.Refuse;

    public int Backlog { get; init; } = 4096;

    /// <summary>Maximum number of connections; 0 means no limit for this listener.</summary>
    public int MaxConnections { get; init; }

    /// <summary>Client addresses that may connect; empty means all that are not denied.</summary>
    public ImmutableArray<Cidr> Allow { get; init; } = [];

    public ImmutableArray<Cidr> Deny { get; init; } = [];

    /// <summary>Maximum number of connections per client, an IPv4 address or an IPv6 /64; 0 means no limit.</summary>
    public int MaxConnectionsPerSource { get; init; }

    /// <summary>Maximum number of new connections per second and client; 0 means no limit.</summary>
    public int ConnectionRatePerSource { get; init; }

    /// <summary>TCP_DEFER_ACCEPT (tcp(7)), whole seconds; zero means off.</summary>
    public TimeSpan DeferAccept { get; init; }

    public KeepaliveSettings Keepalive { get; init; } = new();

    /// <summary>TCP_USER_TIMEOUT (tcp(7)).</summary>
    public TimeSpan UserTimeout { get; init; }

    /// <summary>TCP_CONGESTION (tcp(7)); empty means the system's default.</summary>
    public string CongestionControl { get; init; } = "";
}
