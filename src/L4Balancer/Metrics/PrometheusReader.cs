using System.Buffers;
using System.Diagnostics.Metrics;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;

namespace L4Balancer.Metrics;

/// <summary>
/// The Prometheus side of OpenTelemetry: a reader that collects when someone asks, and an exporter that writes text. It is the one
/// place that a package (OpenTelemetry.Exporter.Prometheus.*) would replace; see docs/decisions/0001-prometheus-text.md.
/// Any thread may ask; collections come one at a time.
/// </summary>
internal sealed class PrometheusReader : IDisposable
{
    private readonly TextExporter _exporter = new();
    private readonly BaseExportingMetricReader _reader;
    private readonly MeterProvider _provider;
    private readonly Lock _collecting = new();
    private readonly IReadOnlyList<string> _labelOrder;

    /// <param name="meter">The name of the meter whose instruments are exposed.</param>
    /// <param name="labelOrder">How the labels of a series are to be ordered.</param>
    /// <param name="views">Buckets and the most series that each instrument may have.</param>
    public PrometheusReader(string meter, IReadOnlyList<string> labelOrder, Func<Instrument, MetricStreamConfiguration?> views)
    {
        _labelOrder = labelOrder;
        _reader = new BaseExportingMetricReader(_exporter);
        _provider = Sdk.CreateMeterProviderBuilder()
            .SetResourceBuilder(ResourceBuilder.CreateEmpty())
            .AddMeter(meter)
            .AddView(views)
            .AddReader(_reader)
            .Build();
    }

    /// <summary>Observes every instrument now and writes the whole exposition.</summary>
    /// <returns>False where collecting failed; the output is then not to be used.</returns>
    public bool Write(IBufferWriter<byte> output, ExpositionFormat format)
    {
        lock (_collecting)
        {
            var text = new PrometheusText(output, format, _labelOrder);
            _exporter.Text = text;
            try
            {
                if (!_reader.Collect())
                {
                    return false;
                }

                text.End();
                return true;
            }
            finally
            {
                _exporter.Text = null;
            }
        }
    }

    public void Dispose() => _provider.Dispose();

    private sealed class TextExporter : BaseExporter<Metric>
    {
        /// <summary>Null while nobody asks: a provider that is disposed of collects once more.</summary>
        public PrometheusText? Text { get; set; }

        public override ExportResult Export(in Batch<Metric> batch)
        {
            if (Text is not PrometheusText text)
            {
                return ExportResult.Success;
            }

            foreach (Metric metric in batch)
            {
                Write(text, metric);
            }

            return ExportResult.Success;
        }

        private static void Write(PrometheusText text, Metric metric)
        {
            bool named = false;
            foreach (ref readonly MetricPoint point in metric.GetMetricPoints())
            {
                if (!named)
                {
                    text.Family(metric.Name, metric.Description, TypeOf(metric.MetricType));
                    named = true;
                }

                Write(text, metric, point);
            }
        }

        private static void Write(PrometheusText text, Metric metric, in MetricPoint point)
        {
            switch (metric.MetricType)
            {
                case MetricType.LongSum or MetricType.LongSumNonMonotonic:
                    text.Sample(metric.Name, "", point.Tags, point.GetSumLong());
                    break;
                case MetricType.DoubleSum or MetricType.DoubleSumNonMonotonic:
                    text.Sample(metric.Name, "", point.Tags, point.GetSumDouble());
                    break;
                case MetricType.LongGauge:
                    text.Sample(metric.Name, "", point.Tags, point.GetGaugeLastValueLong());
                    break;
                case MetricType.DoubleGauge:
                    text.Sample(metric.Name, "", point.Tags, point.GetGaugeLastValueDouble());
                    break;
                case MetricType.Histogram:
                    WriteHistogram(text, metric.Name, point);
                    break;
                default:
                    throw new InvalidOperationException($"{metric.Name} is a {metric.MetricType}, which has no Prometheus text here");
            }
        }

        private static void WriteHistogram(PrometheusText text, string name, in MetricPoint point)
        {
            long upTo = 0;
            foreach (HistogramBucket bucket in point.GetHistogramBuckets())
            {
                upTo += bucket.BucketCount;
                text.Bucket(name, point.Tags, bucket.ExplicitBound, upTo);
            }

            text.Sample(name, "_sum", point.Tags, point.GetHistogramSum());
            text.Sample(name, "_count", point.Tags, point.GetHistogramCount());
        }

        private static FamilyType TypeOf(MetricType type) => type switch
        {
            MetricType.LongSum or MetricType.DoubleSum => FamilyType.Counter,
            MetricType.Histogram => FamilyType.Histogram,
            _ => FamilyType.Gauge,
        };
    }
}
