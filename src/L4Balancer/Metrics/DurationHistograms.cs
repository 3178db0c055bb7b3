using System.Diagnostics.Metrics;
using L4Balancer.Core.Connections;

namespace L4Balancer.Metrics;

/// <summary>How long connecting and connections take, recorded from the records that go out. Any thread.</summary>
internal sealed class DurationHistograms(Meter meter)
{
    private static readonly double Minute = 60;
    private static readonly double Hour = 3600;
    private static readonly double Day = 86400;

    private readonly Histogram<double> _connect = meter.CreateHistogram<double>(
        MetricNames.ConnectDuration, null, "What the connect that succeeded took, in seconds.", null, Buckets(ConnectBounds));

    private readonly Histogram<double> _connection = meter.CreateHistogram<double>(
        MetricNames.ConnectionDuration, null, "How long an established connection lasted, from accept to its end, in seconds.", null,
        Buckets(ConnectionBounds));

    /// <summary>0.5 ms to 10 s.</summary>
    public static double[] ConnectBounds { get; } =
        [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

    /// <summary>1 s to 7 d.</summary>
    public static double[] ConnectionBounds { get; } =
        [1, 5, 15, Minute, 5 * Minute, 15 * Minute, Hour, 3 * Hour, 6 * Hour, 12 * Hour, Day, 2 * Day, 4 * Day, 7 * Day];

    public void Established(in ConnectionRecord record) =>
        _connect.Record(record.ConnectTime.TotalSeconds, Label(record));

    public void Ended(in ConnectionRecord record)
    {
        if (record.IsEstablished)
        {
            _connection.Record(record.TotalTime.TotalSeconds, Label(record));
        }
    }

    private static InstrumentAdvice<double> Buckets(double[] bounds) => new() { HistogramBucketBoundaries = bounds };

    private static KeyValuePair<string, object?> Label(in ConnectionRecord record) => new(MetricNames.Pool, record.Pool.Name);
}
