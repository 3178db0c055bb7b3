using System.Diagnostics.Metrics;
using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;

namespace L4Balancer.Metrics;

/// <summary>Some instruments of the meter, through the OpenTelemetry SDK to a collector. One thread at a time.</summary>
internal sealed class OtlpPipeline : IDisposable
{
    /// <summary>A collector that takes longer than this to answer has missed the figures of one time.</summary>
    private const int LongestCollect = 15_000;

    private readonly OtlpExporter _exporter;
    private readonly BaseExportingMetricReader _reader;
    private readonly MeterProvider _provider;

    /// <param name="mostSeries">Of each instrument; null leaves the instrument out.</param>
    public OtlpPipeline(OtlpExporterOptions options, Func<Instrument, int?> mostSeries)
    {
        _exporter = new OtlpExporter(options);
        _reader = new BaseExportingMetricReader(_exporter);
        _provider = Sdk.CreateMeterProviderBuilder()
            .SetResourceBuilder(ResourceBuilder.CreateEmpty()
                .AddService("l4balancer", null, BuildVersion.Current.Version, false, $"{Environment.MachineName}:{Environment.ProcessId}"))
            .AddMeter(MetricNames.Meter)
            .AddView(instrument => mostSeries(instrument) is int most
                ? new MetricStreamConfiguration { CardinalityLimit = most }
                : MetricStreamConfiguration.Drop)
            .AddReader(_reader)
            .Build();
    }

    /// <returns>False where the collector did not take it.</returns>
    public bool Push()
    {
        _exporter.IsAsked = true;
        bool taken = _reader.Collect(LongestCollect);
        _exporter.IsAsked = false;
        return taken;
    }

    public void Dispose() => _provider.Dispose();
}
