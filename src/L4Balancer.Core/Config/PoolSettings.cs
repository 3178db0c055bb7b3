using System.Collections.Immutable;
using L4Balancer.Core.Addressing;

namespace L4Balancer.Core.Config;

/// <summary>One table <c>[[pools]]</c>.</summary>
public sealed record PoolSettings
{
    public static readonly TimeSpan DefaultHalfCloseTimeout = TimeSpan.FromMinutes(5);

    public required string Name { get; init; }

    public BalanceKind Balance { get; init; } = BalanceKind.Ring;

    public TupleFields HashKey { get; init; } = TupleFields.All;

    /// <summary>Bounded load for ring and maglev: maximum load of a backend as a multiple of its fair share; 0 means off.</summary>
    public double BoundedLoad { get; init; }

    /// <summary>Fraction of healthy backends below which health is ignored; 0 means never.</summary>
    public double PanicThreshold { get; init; }

    /// <summary>Slow start: time over which the share of a recovered or new backend grows to its full value; zero means at once.</summary>
    public TimeSpan SlowStart { get; init; }

    /// <summary>Maximum number of new connections per second and backend; excess connections are queued. 0 means no limit.</summary>
    public int NewConnectionRate { get; init; }

    /// <summary>How established connections of a backend that goes down are handled.</summary>
    public OnBackendDown OnBackendDown { get; init; } = OnBackendDown.Keep;

    /// <summary>How established connections of a backend that leaves the configuration are handled.</summary>
    public OnBackendRemoved OnBackendRemoved { get; init; } = OnBackendRemoved.Keep;

    /// <summary>Rate of paced closing in connections per second over the whole pool; 0 means all at once.</summary>
    public int CloseRate { get; init; } = 500;

    /// <summary>Addresses the balancer connects from; empty means the kernel chooses.</summary>
    public ImmutableArray<HostAddress> SourceIps { get; init; } = [];

    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(3);

    public int ConnectAttempts { get; init; } = 3;

    public TimeSpan IdleTimeout { get; init; } = TimeSpan.FromHours(1);

    /// <summary>Time without a byte after one side has finished; never longer than <see cref="IdleTimeout"/>.</summary>
    public TimeSpan HalfCloseTimeout { get; init; } = DefaultHalfCloseTimeout;

    /// <summary>
    /// Whether a connection that waits for <c>new_connection_rate</c> gives up its place when its client has sent FIN and nothing else.
    /// </summary>
    public bool AbortOnClose { get; init; }

    /// <summary>Maximum age of a connection; each is closed up to 10% earlier. Zero means no limit.</summary>
    public TimeSpan MaxAge { get; init; }

    public KeepaliveSettings Keepalive { get; init; } = new();

    /// <summary>TCP_USER_TIMEOUT (tcp(7)).</summary>
    public TimeSpan UserTimeout { get; init; }

    /// <summary>TCP_CONGESTION (tcp(7)); empty means the system's default.</summary>
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
