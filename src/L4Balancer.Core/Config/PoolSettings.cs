using System.Collections.Immutable;
using L4Balancer.Core.Addressing;

namespace L4Balancer.Core.Config;

/// <summary>One table <c>[[pools]]</c>.</summary>
public sealed record PoolSettings
{
    public required string Name { get; init; }

    public BalanceKind Balance { get; init; } = BalanceKind.Ring;

    public TupleFields HashKey { get; init; } = TupleFields.All;

    /// <summary>No backend above so many times its fair share; 0: off. For ring and maglev.</summary>
    public double BoundedLoad { get; init; }

    /// <summary>Below this share of healthy backends health is ignored; 0: never.</summary>
    public double PanicThreshold { get; init; }

    /// <summary>Over this time the share of a backend that has come up or is new grows to all of it; zero: at once.</summary>
    public TimeSpan SlowStart { get; init; }

    /// <summary>Connections per second that each backend is sent; those above it wait their turn. 0: no limit.</summary>
    public int NewConnectionRate { get; init; }

    /// <summary>What happens to established connections of a backend that goes down.</summary>
    public OnBackendDown OnBackendDown { get; init; } = OnBackendDown.Keep;

    /// <summary>Paced closing, connections per second over the whole pool; 0: all at once.</summary>
    public int CloseRate { get; init; } = 500;

    /// <summary>Addresses the balancer connects from; empty: the kernel's choice.</summary>
    public ImmutableArray<HostAddress> SourceIps { get; init; } = [];

    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(3);

    public int ConnectAttempts { get; init; } = 3;

    public TimeSpan IdleTimeout { get; init; } = TimeSpan.FromHours(1);

    /// <summary>Filled with <see cref="IdleTimeout"/> where the file gives none.</summary>
    public TimeSpan HalfCloseTimeout { get; init; } = TimeSpan.FromHours(1);

    /// <summary>Connections of this age are closed, each up to a tenth sooner; zero: never.</summary>
    public TimeSpan MaxAge { get; init; }

    public KeepaliveSettings Keepalive { get; init; } = new();

    /// <summary>TCP_USER_TIMEOUT (tcp(7)).</summary>
    public TimeSpan UserTimeout { get; init; }

    /// <summary>TCP_CONGESTION (tcp(7)); empty: the system's.</summary>
    public string CongestionControl { get; init; } = "";

    public HealthSettings Health { get; init; } = new();

    public PassiveSettings Passive { get; init; } = new();

    public ImmutableArray<BackendSettings> Backends { get; init; } = [];

    /// <summary>Whether all of it has the same values; the equality of records compares collections by reference.</summary>
    public bool HasSameValues(PoolSettings other)
    {
        ArgumentNullException.ThrowIfNull(other);
        return ReferenceEquals(this, other)
            || (SourceIps.SequenceEqual(other.SourceIps)
                && Backends.SequenceEqual(other.Backends)
                && Health.HasSameValues(other.Health)
                && this with { SourceIps = other.SourceIps, Backends = other.Backends, Health = other.Health } == other);
    }
}
