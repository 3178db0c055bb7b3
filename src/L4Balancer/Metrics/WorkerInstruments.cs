using System.Diagnostics.Metrics;
using System.Globalization;
using L4Balancer.Engine;

namespace L4Balancer.Metrics;

/// <summary>What each event loop has to do, asked when someone asks. Any thread.</summary>
internal sealed class WorkerInstruments
{
    /// <summary>CPU clocks tick by milliseconds: over less than this, and between two scrapers, a ratio would be noise.</summary>
    private static readonly TimeSpan ShortestSpan = TimeSpan.FromSeconds(1);

    private readonly Func<IReadOnlyList<WorkerLoad>> _load;
    private readonly TimeProvider _clock;
    private readonly Lock _sampling = new();
    private IReadOnlyList<WorkerLoad> _sampled = [];
    private IReadOnlyList<Measurement<double>> _ratios = [];
    private long _sampledAt;

    public WorkerInstruments(Meter meter, Func<IReadOnlyList<WorkerLoad>> load, TimeProvider clock)
    {
        _load = load;
        _clock = clock;
        _sampledAt = clock.GetTimestamp();
        meter.CreateObservableGauge(MetricNames.WorkerConnections, Connections, null, "Connections that the event loop serves.");
        meter.CreateObservableCounter(
            MetricNames.EventLoopStalls, Stalls, null, "Turns of the event loop that began more than 8 ms later than a timer required.");
        meter.CreateObservableCounter(MetricNames.SplicedBytes, Spliced, null, "Bytes that the event loop moved with splice, uncopied.");
        meter.CreateObservableGauge(
            MetricNames.WorkerBusyRatio, BusyRatios, null,
            "Share of the time that the event loop's thread ran on a processor, since the last look a second or more ago.");
    }

    private IEnumerable<Measurement<long>> Connections() =>
        _load().Select(l => new Measurement<long>(l.Connections, Label(l.Worker)));

    private IEnumerable<Measurement<long>> Stalls() => _load().Select(l => new Measurement<long>(l.Stalls, Label(l.Worker)));

    private IEnumerable<Measurement<long>> Spliced() => _load().Select(l => new Measurement<long>(l.Spliced, Label(l.Worker)));

    private IReadOnlyList<Measurement<double>> BusyRatios()
    {
        lock (_sampling)
        {
            long now = _clock.GetTimestamp();
            TimeSpan span = _clock.GetElapsedTime(_sampledAt, now);
            if (span >= ShortestSpan)
            {
                IReadOnlyList<WorkerLoad> loads = _load();
                _ratios = [.. loads.Select(l => new Measurement<double>(Ratio(l, span), Label(l.Worker)))];
                _sampled = loads;
                _sampledAt = now;
            }

            return _ratios;
        }
    }

    private double Ratio(WorkerLoad load, TimeSpan span)
    {
        TimeSpan before = _sampled.FirstOrDefault(l => l.Worker == load.Worker).CpuTime;
        return Math.Clamp((load.CpuTime - before) / span, 0, 1);
    }

    private static KeyValuePair<string, object?> Label(int worker) =>
        new(MetricNames.Worker, worker.ToString(CultureInfo.InvariantCulture));
}
