using L4Balancer.Core.Addressing;

namespace L4Balancer.Core.Config;

/// <summary>The table <c>[metrics]</c>.</summary>
public sealed record MetricsSettings
{
    public Endpoint Listen { get; init; } = new(HostAddress.FromV4(0x7F00_0001), 9464);

    /// <summary>Collector to which metrics are also pushed by OTLP; null means none.</summary>
    public Uri? Otlp { get; init; }
}

/// <summary><c>[metrics]</c>.</summary>
internal static class MetricsBinding
{
    public static MetricsSettings Bind(TableBinder table, BoundAddresses bound)
    {
        MetricsSettings metrics = new();
        if (!table.TryGet("listen", out Setting listen))
        {
            bound.Add(metrics.Listen, table.Whole);
        }
        else if (listen.TryEndpoint(0, out Endpoint endpoint))
        {
            metrics = metrics with { Listen = endpoint };
            bound.Add(endpoint, listen);
        }

        return table.TryGet("otlp", out Setting otlp) && TryOtlp(otlp, out Uri? collector) ? metrics with { Otlp = collector } : metrics;
    }

    // Empty, or the URL of a collector: OTLP over gRPC, by convention on port 4317.
    private static bool TryOtlp(Setting setting, out Uri? collector)
    {
        collector = null;
        const string Form = "the URL of a collector, like \"http://127.0.0.1:4317\", or \"\"";
        return setting.TryText(Form, out string text)
            && (text.Length == 0
                || (Uri.TryCreate(text, UriKind.Absolute, out collector) && collector.Scheme is "http" or "https")
                || setting.Reject($"{Quoted.Text(text)} is not {Form}"));
    }
}
