using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Metrics;

namespace L4Balancer.Metrics;

/// <summary>
/// The SDK's OTLP exporter, which exports only when it is asked to: a provider that is disposed of collects and exports once more, and
/// that would hold up the daemon's end where the collector does not answer.
/// </summary>
internal sealed class OtlpExporter(OtlpExporterOptions options) : OtlpMetricExporter(options)
{
    public bool IsAsked { get; set; }

    public override ExportResult Export(in Batch<Metric> metrics) => IsAsked ? base.Export(metrics) : ExportResult.Success;
}
