using L4Balancer.Core.Addressing;

namespace L4Balancer.Core.Config;

/// <summary>The table <c>[metrics]</c>.</summary>
public sealed record MetricsSettings
{
    public Endpoint Listen { get; init; } = new(HostAddress.FromV4(0x7F00_0001), 9464);

    /// <summary>Collector to which metrics are also pushed by OTLP; null means none.</summary>
    public Uri? Otlp { get; init; }
}
