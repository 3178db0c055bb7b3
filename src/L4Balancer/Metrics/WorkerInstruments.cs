using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Globalization;
using L4Balancer.Core.Accounting;
using L4Balancer.Engine;

namespace L4Balancer.Metrics;

/// <summary>What each event loop has to do, asked when someone asks. Any thread.</summary>
internal sealed class WorkerInstruments : ICarriedCounters
{
    /// <summary>CPU clocks tick by milliseconds: over less than this, and between two scrapers, a ratio would be noise.</summary>
    private static readonly TimeSpan ShortestSpan = TimeSpan.FromSeconds(1);

    /// <summary>More event loops than any process has.</summary>
    private const int MostWorkers = 1024;

    private readonly Func<IReadOnlyList<WorkerLoad>> _load;
    private readonly TimeProvider _clock;
    private readonly Lock _sampling = new();

    // What the event loops of the processes before this one have counted, by their numbers.
    private readonly ConcurrentDictionary<int, (long Stalls, long Spliced)> _before = new();
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

    public string CarriedName => "workers";

    public void WriteTo(CounterSheet sheet)
    {
        ArgumentNullException.ThrowIfNull(sheet);
        foreach ((int worker, (long stalls, long spliced)) in _before)
        {
            (sheet[Stall(worker)], sheet[Splice(worker)]) = (stalls, spliced);
        }

        foreach (WorkerLoad load in _load())
        {
            sheet[Stall(load.Worker)] += load.Stalls;
            sheet[Splice(load.Worker)] += load.Spliced;
        }
    }

    public void Add(CounterSheet counted)
    {
        ArgumentNullException.ThrowIfNull(counted);
        for (int worker = 0; worker < MostWorkers; worker++)
        {
            (long stalls, long spliced) = (counted[Stall(worker)], counted[Splice(worker)]);
            if (stalls > 0 || spliced > 0)
            {
                _before.AddOrUpdate(worker, (stalls, spliced), (_, b) => (b.Stalls + stalls, b.Spliced + spliced));
            }
        }
    }

    private static string Stall(int worker) => string.Create(CultureInfo.InvariantCulture, $"stalls/{worker}");

    private static string Splice(int worker) => string.Create(CultureInfo.InvariantCulture, $"spliced/{worker}");

    private IEnumerable<Measurement<long>> Connections() =>
        _load().Select(l => new Measurement<long>(l.Connections, Label(l.Worker)));

    private IEnumerable<Measurement<long>> Stalls() => Of(static l => l.Stalls, static b => b.Stalls);

    private IEnumerable<Measurement<long>> Spliced() => Of(static l => l.Spliced, static b => b.Spliced);

    // A process may have fewer event loops than the one before.
    private IEnumerable<Measurement<long>> Of(Func<WorkerLoad, long> now, Func<(long Stalls, long Spliced), long> before)
    {
        IReadOnlyList<WorkerLoad> loads = _load();
        IEnumerable<int> gone = _before.Keys.Except(loads.Select(static l => l.Worker)).Order();
        return loads.Select(l => new Measurement<long>(now(l) + before(_before.GetValueOrDefault(l.Worker)), Label(l.Worker)))
            .Concat(gone.Select(w => new Measurement<long>(before(_before.GetValueOrDefault(w)), Label(w))));
    }

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
