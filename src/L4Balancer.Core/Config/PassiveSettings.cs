namespace L4Balancer.Core.Config;

/// <summary>The table <c>[pools.passive]</c>: what the connects of clients say of a backend.</summary>
public sealed record PassiveSettings
{
    /// <summary>So many failed connects in a row mark a backend down; 0: they never do.</summary>
    public int Failures { get; init; } = 5;

    /// <summary>Where nothing probes: after this time one connection is let through.</summary>
    public TimeSpan Retry { get; init; } = TimeSpan.FromSeconds(10);
}
