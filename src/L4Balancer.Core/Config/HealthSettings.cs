namespace L4Balancer.Core.Config;

/// <summary>The table <c>[pools.health]</c>.</summary>
public sealed record HealthSettings
{
    public HealthType Type { get; init; } = HealthType.Tcp;

    public TimeSpan Interval { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>While it is open whether the backend changes its state.</summary>
    public TimeSpan FastInterval { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>While the backend is not up.</summary>
    public TimeSpan DownInterval { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Share of the interval by which a probe may come earlier or later.</summary>
    public double Jitter { get; init; } = 0.1;

    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Good probes in a row that bring a backend back.</summary>
    public int Rise { get; init; } = 2;

    /// <summary>Failed probes in a row that take a backend out.</summary>
    public int Fall { get; init; } = 3;

    /// <summary>0: the backend's own port.</summary>
    public int Port { get; init; }
}
