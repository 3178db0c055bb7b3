using System.Diagnostics.Metrics;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Connections;

namespace L4Balancer.Metrics;

/// <summary>
/// How long connecting and connections take, recorded from the records that go out. They are added up here, so that those of the process before
/// this one can be added; the SDK adds up those of this process once more, for the push alone. Any thread.
/// </summary>
internal sealed class DurationHistograms(Meter meter) : ICarriedCounters
{
    private const string ProcessesKey = "processes";
    private const string ConnectHelp = "What the connect that succeeded took, in seconds.";
    private const string ConnectionHelp = "How long an established connection lasted, from accept to its end, in seconds.";

    private static readonly double Minute = 60;
    private static readonly double Hour = 3600;
    private static readonly double Day = 86400;

    private readonly Histogram<double> _pushedConnect =
        meter.CreateHistogram<double>(MetricNames.ConnectDuration, null, ConnectHelp, null, Buckets(ConnectBounds));

    private readonly Histogram<double> _pushedConnection =
        meter.CreateHistogram<double>(MetricNames.ConnectionDuration, null, ConnectionHelp, null, Buckets(ConnectionBounds));

    private readonly DurationHistogram _connect = new(MetricNames.ConnectDuration, ConnectHelp, ConnectBounds);
    private readonly DurationHistogram _connection = new(MetricNames.ConnectionDuration, ConnectionHelp, ConnectionBounds);

    /// <summary>0.5 ms to 10 s.</summary>
    public static double[] ConnectBounds { get; } =
        [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

    /// <summary>1 s to 7 d.</summary>
    public static double[] ConnectionBounds { get; } =
        [1, 5, 15, Minute, 5 * Minute, 15 * Minute, Hour, 3 * Hour, 6 * Hour, 12 * Hour, Day, 2 * Day, 4 * Day, 7 * Day];

    // Of the chain of upgrades that has led here.
    private long _processesBefore;

    public string CarriedName => "durations";

    /// <summary>Whether the counters have not begun with this process.</summary>
    public bool IsContinued => Volatile.Read(ref _processesBefore) > 0;

    /// <summary>Whether an instrument is one of these: the text of a scrape has them from <see cref="WriteText"/> and not from the SDK.</summary>
    public static bool IsOne(Instrument instrument) => instrument.Name is MetricNames.ConnectDuration or MetricNames.ConnectionDuration;

    public void Established(in ConnectionRecord record)
    {
        _connect.Record(record.Pool.Name, record.ConnectTime);
        if (_pushedConnect.Enabled)
        {
            _pushedConnect.Record(record.ConnectTime.TotalSeconds, Label(record));
        }
    }

    public void Ended(in ConnectionRecord record)
    {
        if (!record.IsEstablished)
        {
            return;
        }

        _connection.Record(record.Pool.Name, record.TotalTime);
        if (_pushedConnection.Enabled)
        {
            _pushedConnection.Record(record.TotalTime.TotalSeconds, Label(record));
        }
    }

    public void WriteTo(CounterSheet sheet)
    {
        sheet[ProcessesKey] = Volatile.Read(ref _processesBefore) + 1;
        _connect.WriteTo(sheet);
        _connection.WriteTo(sheet);
    }

    public void Add(CounterSheet counted)
    {
        Interlocked.Add(ref _processesBefore, counted[ProcessesKey]);
        _connect.Add(counted);
        _connection.Add(counted);
    }

    /// <summary>Both metrics in a text format of Prometheus; nothing of one without a connection.</summary>
    public void WriteText(TextWriter text, bool isOpenMetrics)
    {
        bool hasBegin = isOpenMetrics && !IsContinued;
        _connect.WriteText(text, isOpenMetrics, hasBegin);
        _connection.WriteText(text, isOpenMetrics, hasBegin);
    }

    private static InstrumentAdvice<double> Buckets(double[] bounds) => new() { HistogramBucketBoundaries = bounds };

    private static KeyValuePair<string, object?> Label(in ConnectionRecord record) => new(MetricNames.Pool, record.Pool.Name);
}
