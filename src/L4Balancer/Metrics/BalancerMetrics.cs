using System.Buffers;
using System.Diagnostics.Metrics;
using L4Balancer.Core.Routing;
using OpenTelemetry.Metrics;

namespace L4Balancer.Metrics;

/// <summary>
/// All instruments of the daemon and the reader that exposes them. Nothing is counted here: cells are observed when someone asks,
/// and only the histograms are recorded. Any thread.
/// </summary>
internal sealed class BalancerMetrics : IDisposable
{
    /// <summary>Series for which no backend has to stand: listeners, pools, and a few that a reload may add.</summary>
    private const int Slack = 2000;

    /// <summary>Reasons that can end an established connection; what a refusal can say besides belongs to the listener.</summary>
    private const int ReasonsPerBackend = 13;

    private readonly Meter _meter = new(MetricNames.Meter);
    private readonly PrometheusReader _reader;

    /// <param name="snapshot">The one in force, asked for at every observation.</param>
    /// <param name="backends">How many backends to hold series for.</param>
    public BalancerMetrics(Func<RoutingSnapshot> snapshot, int backends, string engine)
    {
        // The reader listens before the instruments exist, so that none is missed.
        _reader = new PrometheusReader(MetricNames.Meter, MetricNames.LabelOrder, instrument => ViewOf(instrument, backends));
        _ = new ListenerInstruments(_meter, snapshot);
        _ = new BackendInstruments(_meter, snapshot);
        _ = new HealthInstruments(_meter, snapshot);
        _ = new ProcessInstruments(_meter, BuildVersion.Current, engine);
        Durations = new DurationHistograms(_meter);
    }

    public DurationHistograms Durations { get; }

    /// <inheritdoc cref="PrometheusReader.Write"/>
    public bool Write(IBufferWriter<byte> output, ExpositionFormat format) => _reader.Write(output, format);

    public void Dispose()
    {
        _reader.Dispose();
        _meter.Dispose();
    }

    // OpenTelemetry keeps an array of this many points per metric and folds what is beyond into one series without labels.
    private static MetricStreamConfiguration ViewOf(Instrument instrument, int backends) => instrument.Name switch
    {
        MetricNames.ConnectDuration => Buckets(DurationHistograms.ConnectBounds),
        MetricNames.ConnectionDuration => Buckets(DurationHistograms.ConnectionBounds),
        MetricNames.ConnectionsClosed => new MetricStreamConfiguration { CardinalityLimit = Slack + (ReasonsPerBackend * backends) },
        _ => new MetricStreamConfiguration { CardinalityLimit = Slack + (3 * backends) },
    };

    private static ExplicitBucketHistogramConfiguration Buckets(double[] bounds) =>
        new() { Boundaries = bounds, RecordMinMax = false, CardinalityLimit = Slack };
}
