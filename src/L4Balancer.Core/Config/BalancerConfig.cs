using System.Collections.Immutable;

namespace L4Balancer.Core.Config;

/// <summary>A whole configuration file, validated and complete: every default is filled in. Durations of zero mean off.</summary>
public sealed record BalancerConfig
{
    public BalancerSettings Balancer { get; init; } = new();

    public AdminSettings Admin { get; init; } = new();

    /// <summary>Null where the file has no <c>[metrics]</c> table: nothing listens then.</summary>
    public MetricsSettings? Metrics { get; init; }

    public ImmutableArray<ListenerSettings> Listeners { get; init; } = [];

    public ImmutableArray<PoolSettings> Pools { get; init; } = [];
}
