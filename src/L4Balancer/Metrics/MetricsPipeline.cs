using System.Diagnostics.Metrics;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Routing;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;

namespace L4Balancer.Metrics;

/// <summary>
/// One way for metrics to leave the process: an OpenTelemetry provider with its reader, and meters of its own for what comes and goes
/// with the configuration. Each way has its own, because a provider with several readers writes what one of them collects to all, and
/// a series that has ended would show up once more at the next. Why it is built like this: docs/decisions/0001-opentelemetry-metrics.md.
/// </summary>
internal sealed class MetricsPipeline : IDisposable
{
    /// <summary>The name of an instrument without series, which therefore appears in no output.</summary>
    private const string First = "collection_begins";

    private readonly BalancerMetrics _metrics;
    private readonly Meter _first;
    private readonly SeriesGroups<BackendSeries> _backends;
    private readonly SeriesGroups<ListenerSeries> _listeners;
    private readonly SeriesGroups<PoolSeries> _pools;
    private readonly SeriesGroups<PoolSeries> _discoveries;
    private readonly SeriesGroups<LocalAddressState> _sources;
    private RoutingSnapshot? _reported;

    /// <param name="way">Distinguishes this way's meters from those of the others.</param>
    /// <param name="view">For instruments that this way does not have as they are; null for the others.</param>
    /// <exception cref="InvalidOperationException">The reader cannot be started.</exception>
    public MetricsPipeline(
        BalancerMetrics metrics, string way, Action<MeterProviderBuilder> addReader, Func<Instrument, MetricStreamConfiguration?> view)
    {
        _metrics = metrics;
        string meter = $"{MetricNames.Meter}.{way}";
        _first = new Meter(meter);
        _first.CreateObservableGauge(First, BeginCollection);
        _backends = new(meter, b => b.Key, group =>
        {
            _ = (new BackendInstruments(group), new HealthInstruments(group));
            PacketInstruments.AddBackends(group, metrics.Packets);
        });
        _listeners = new(meter, l => l.State, group =>
        {
            _ = new ListenerInstruments(group);
            PacketInstruments.AddListeners(group, metrics.Packets);
        });
        _pools = new(meter, p => p.State, group => _ = new PoolInstruments(group, metrics.Snapshot, metrics.Clock));
        _discoveries = new(meter, p => p.State, group => _ = new DiscoveryInstruments(group, metrics.Discovery, metrics.Clock));
        _sources = new(meter, s => s, group => _ = new SourcePortInstruments(group, metrics.Snapshot, metrics.Clock));
        Update();
        MeterProviderBuilder builder = Sdk.CreateMeterProviderBuilder()
            .SetResourceBuilder(ResourceBuilder.CreateEmpty()
                .AddService("l4balancer", null, BuildVersion.Current.Version, false, $"{Environment.MachineName}:{Environment.ProcessId}"))
            .SetExemplarFilter(ExemplarFilterType.AlwaysOff)
            .AddMeter(MetricNames.Meter, meter)
            .AddView(instrument => view(instrument) ?? metrics.Limits.View(instrument));
        addReader(builder);
        try
        {
            Provider = builder.Build();
        }
        catch
        {
            _first.Dispose();
            throw;
        }
    }

    public MeterProvider Provider { get; }

    public void Dispose()
    {
        Provider.Dispose();
        _backends.Dispose();
        _listeners.Dispose();
        _pools.Dispose();
        _discoveries.Dispose();
        _sources.Dispose();
        _first.Dispose();
    }

    /// <summary>
    /// The provider observes instruments in the order in which they were created, this way's first instrument before all that depend on
    /// the configuration. They are changed here and nowhere else: a change in the middle of a collection would report series twice.
    /// </summary>
    /// <returns>Nothing, so that the instrument itself is never exported.</returns>
    private IEnumerable<Measurement<long>> BeginCollection()
    {
        if (Update())
        {
            ExporterCache.Clear(Provider);
        }

        return [];
    }

    /// <returns>Whether instruments have ended.</returns>
    private bool Update()
    {
        RoutingSnapshot now = _metrics.Snapshot();
        if (now == _reported)
        {
            return false;
        }

        _reported = now;
        IEnumerable<ListenerSeries> listeners = now.Listeners.Select(l => new ListenerSeries(l.State, true))
            .Concat(now.Removed.Listeners.Select(l => new ListenerSeries(l, false)));
        bool ended = _backends.Update(BackendCatalog.Of(now));
        ended |= _listeners.Update([.. listeners]);
        ended |= _pools.Update(PoolsOf(now));
        ended |= _discoveries.Update([.. now.Pools.Where(static p => p.Settings.Discovery is not null).Select(static p => new PoolSeries(p.State, true))]);
        ended |= _sources.Update(now.Sources);
        return ended;
    }

    // A pool that has left is known by the backends that it had.
    private static PoolSeries[] PoolsOf(RoutingSnapshot now)
    {
        HashSet<PoolState> here = [.. now.Pools.Select(p => p.State)];
        IEnumerable<PoolState> left = now.Removed.Backends.Select(b => b.State.PoolState).Where(p => !here.Contains(p)).Distinct();
        return [.. here.Select(p => new PoolSeries(p, true)), .. left.Select(p => new PoolSeries(p, false))];
    }
}
