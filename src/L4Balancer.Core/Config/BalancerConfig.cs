using System.Collections.Immutable;

namespace L4Balancer.Core.Config;

/// <summary>A complete, validated configuration with every default filled in. A duration of zero means off.</summary>
public sealed record BalancerConfig
{
    public BalancerSettings Balancer { get; init; } = new();

    public AdminSettings Admin { get; init; } = new();

    /// <summary>Null if the file has no <c>[metrics]</c> table; there is no metrics listener then.</summary>
    public MetricsSettings? Metrics { get; init; }

    /// <summary>Null if the file has no <c>[fleet]</c> table: the balancer shares nothing then.</summary>
    public FleetSettings? Fleet { get; init; }

    /// <summary>Null if the file has no <c>[endpoint]</c> table; clients are handed no URLs then.</summary>
    public EndpointSettings? Endpoint { get; init; }

    /// <summary>Null if the file has no <c>[dns]</c> table; questions are not answered then.</summary>
    public DnsSettings? Dns { get; init; }

    /// <summary>
    /// The values that came from the environment, as the file writes them, by their key: <c>pools[0].health.host</c>. They are shown so, without what
    /// they stand for. Names are not in it.
    /// </summary>
    public ImmutableSortedDictionary<string, WrittenText> FromEnvironment { get; init; } = ImmutableSortedDictionary<string, WrittenText>.Empty;

    public ImmutableArray<ListenerSettings> Listeners { get; init; } = [];

    public ImmutableArray<PoolSettings> Pools { get; init; } = [];
}
