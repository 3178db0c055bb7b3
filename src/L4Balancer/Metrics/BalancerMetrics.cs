using System.Diagnostics.Metrics;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Dns;
using L4Balancer.Core.Routing;
using L4Balancer.Discovery;
using L4Balancer.Engine;
using L4Balancer.Fleet;
using L4Balancer.Packets;
using L4Balancer.Recovery;

namespace L4Balancer.Metrics;

/// <summary>
/// What metrics are made of: the instruments that exist as long as the process, and what those of a <see cref="MetricsPipeline"/> read
/// from. The counters of Core are read at a scrape, and only the histograms are recorded here. Any thread.
/// </summary>
internal sealed class BalancerMetrics : IDisposable
{
    private readonly Meter _meter = new(MetricNames.Meter);
    private readonly WorkerInstruments _loops;

    /// <param name="snapshot">The one in force, asked for at every scrape.</param>
    /// <param name="engine">The one that runs; null before there is one.</param>
    /// <param name="workers">How many event loops it has, at most.</param>
    /// <param name="dns">Null if DNS questions are not answered.</param>
    /// <param name="fleet">What is known of the fleet; null without one.</param>
    public BalancerMetrics(
        Func<RoutingSnapshot> snapshot, Func<IEngine?> engine, TimeProvider clock, int workers, DnsCounters? dns = null, Func<FleetStatus?>? fleet = null)
    {
        Limits = new SeriesLimits(workers, snapshot().Pools.Length);
        Snapshot = snapshot;
        Clock = clock;
        _loops = new WorkerInstruments(_meter, () => engine()?.LoopStatistics() ?? [], clock);
        _ = new ControlInstruments(_meter, snapshot, engine);
        _ = new FleetInstruments(_meter, fleet ?? (static () => null));
        if (dns is not null)
        {
            _ = new DnsInstruments(_meter, dns);
        }

        _ = new RecoveryInstruments(_meter, () => Recovered);
        _ = new ProcessInstruments(_meter);
        PacketInstruments.AddDrops(_meter, () => Packets());
        Durations = new DurationHistograms(_meter);
    }

    /// <summary>What counts here and not in Core, and goes over to the process that takes the place of this one.</summary>
    public IReadOnlyList<ICarriedCounters> Carried => [_loops, Durations, Recovered];

    public DurationHistograms Durations { get; }

    public SeriesLimits Limits { get; }

    public Func<RoutingSnapshot> Snapshot { get; }

    public TimeProvider Clock { get; }

    /// <summary>The source of a pool's backends; null if it has none.</summary>
    public Func<string, DiscoveryStatus?> Discovery { get; init; } = static _ => null;

    /// <summary>What packet listeners have sent on.</summary>
    public Func<PacketTotals> Packets { get; init; } = static () => PacketTotals.Empty;

    /// <summary>What became of the connections of crashed daemons.</summary>
    public RecoveryCounters Recovered { get; init; } = new();

    public void Dispose() => _meter.Dispose();
}
