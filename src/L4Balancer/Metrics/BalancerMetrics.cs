using System.Buffers;
using System.Diagnostics.Metrics;
using L4Balancer.Core.Routing;
using L4Balancer.Engine;

namespace L4Balancer.Metrics;

/// <summary>
/// All instruments of the daemon and the reader that exposes them. Nothing is counted here: cells are observed when someone asks,
/// and only the histograms are recorded. Any thread.
/// </summary>
internal sealed class BalancerMetrics : IDisposable
{
    private readonly Meter _meter = new(MetricNames.Meter);
    private readonly PrometheusReader _reader;

    /// <param name="snapshot">The one in force, asked for at every observation.</param>
    /// <param name="engine">The one that runs; null before there is one.</param>
    /// <param name="pushed">Whether they are pushed as well: the SDK tells a series for ever, so that a gauge must not just end.</param>
    public BalancerMetrics(Func<RoutingSnapshot> snapshot, Func<IEngine?> engine, TimeProvider clock, bool pushed = false)
    {
        // The reader listens before the instruments exist, so that none is missed.
        _reader = new PrometheusReader(_meter);
        BackendCatalog backends = Backends = new BackendCatalog(snapshot);
        _ = new ListenerInstruments(_meter, snapshot);
        _ = new SourcePortInstruments(_meter, snapshot, clock);
        _ = new BackendInstruments(_meter, backends, endsGauges: !pushed);
        _ = new HealthInstruments(_meter, backends, endsGauges: !pushed);
        _ = new WorkerInstruments(_meter, () => engine()?.Load() ?? [], clock);
        _ = new ControlInstruments(_meter, snapshot, engine);
        _ = new ProcessInstruments(_meter);
        Durations = new DurationHistograms(_meter);
    }

    public DurationHistograms Durations { get; }

    public BackendCatalog Backends { get; }

    /// <inheritdoc cref="PrometheusReader.Write"/>
    public void Write(IBufferWriter<byte> output, ExpositionFormat format) => _reader.Write(output, format);

    public void Dispose()
    {
        _reader.Dispose();
        _meter.Dispose();
    }
}
