using System.Collections.Immutable;
using L4Balancer.Core.Addressing;

namespace L4Balancer.Core.Config;

/// <summary>One table <c>[[pools]]</c>.</summary>
public sealed record PoolSettings
{
    public required string Name { get; init; }

    public BalanceKind Balance { get; init; } = BalanceKind.Ring;

    public TupleFields HashKey { get; init; } = TupleFields.All;

    /// <summary>Addresses the balancer connects from; empty: the kernel's choice.</summary>
    public ImmutableArray<HostAddress> SourceIps { get; init; } = [];

    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(3);

    public int ConnectAttempts { get; init; } = 3;

    public TimeSpan IdleTimeout { get; init; } = TimeSpan.FromHours(1);

    /// <summary>Filled with <see cref="IdleTimeout"/> where the file gives none.</summary>
    public TimeSpan HalfCloseTimeout { get; init; } = TimeSpan.FromHours(1);

    public KeepaliveSettings Keepalive { get; init; } = new();

    /// <summary>TCP_USER_TIMEOUT (tcp(7)).</summary>
    public TimeSpan UserTimeout { get; init; }

    /// <summary>TCP_CONGESTION (tcp(7)); empty: the system's.</summary>
    public string CongestionControl { get; init; } = "";

    public HealthSettings Health { get; init; } = new();

    public ImmutableArray<BackendSettings> Backends { get; init; } = [];
}
