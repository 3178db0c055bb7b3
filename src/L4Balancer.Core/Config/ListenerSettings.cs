using System.Collections.Immutable;
using L4Balancer.Core.Addressing;

namespace L4Balancer.Core.Config;

/// <summary>One table <c>[[listeners]]</c>.</summary>
public sealed record ListenerSettings
{
    public required string Name { get; init; }

    public required ImmutableArray<Endpoint> Bind { get; init; }

    public required string Pool { get; init; }

    public int Backlog { get; init; } = 4096;

    /// <summary>0: no limit of its own.</summary>
    public int MaxConnections { get; init; }

    /// <summary>Who may connect; empty: everybody who is not denied.</summary>
    public ImmutableArray<Cidr> Allow { get; init; } = [];

    public ImmutableArray<Cidr> Deny { get; init; } = [];

    /// <summary>A source is an IPv4 address or an IPv6 /64; 0: no limit.</summary>
    public int MaxConnectionsPerSource { get; init; }

    /// <summary>New connections of a source per second; 0: no limit.</summary>
    public int ConnectionRatePerSource { get; init; }

    /// <summary>TCP_DEFER_ACCEPT (tcp(7)), whole seconds; zero: off.</summary>
    public TimeSpan DeferAccept { get; init; }

    public KeepaliveSettings Keepalive { get; init; } = new();

    /// <summary>TCP_USER_TIMEOUT (tcp(7)).</summary>
    public TimeSpan UserTimeout { get; init; }

    /// <summary>TCP_CONGESTION (tcp(7)); empty: the system's.</summary>
    public string CongestionControl { get; init; } = "";
}
