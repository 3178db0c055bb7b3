using System.Reflection;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Config;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Dns;
using L4Balancer.Core.Handover;
using L4Balancer.Core.Health;
using L4Balancer.Core.Routing;
using L4Balancer.Discovery;
using L4Balancer.Engine;
using L4Balancer.Metrics;
using L4Balancer.Tests.Control;

namespace L4Balancer.Tests.Metrics;

/// <summary>What a scrape of a process says, one of the process that takes its place goes on with: no counter and no histogram steps back.</summary>
internal sealed class CarriedMetricsTests
{
    /// <summary>Counters that stay with their process, and those that another test holds.</summary>
    private static readonly Dictionary<string, string> Elsewhere = new()
    {
        [MetricNames.ProcessCpuSeconds] = "of this process, as its start time says",
        [MetricNames.QueueAbandoned] = "counted within Core: CarriedCountersTests",
        [MetricNames.Packets] = "counted by the kernel, which goes on",
        [MetricNames.PacketBytes] = "likewise",
        [MetricNames.PacketsDropped] = "likewise",
    };

    [Test]
    public void Every_counter_and_histogram_of_a_scrape_goes_on()
    {
        using Process before = new(stalls: 3);
        Count(before);
        Dictionary<string, string> told = before.Told();
        Assert.That(
            Growing().Where(m => !Elsewhere.ContainsKey(m) && !told.Any(t => t.Key.StartsWith(m, StringComparison.Ordinal) && t.Value != "0")), Is.Empty,
            "metrics that count, and are at zero here: have them count in this test, so that it sees whether they go over");

        using Process after = new(stalls: 0);
        Assert.That(after.Image.TryAdd(before.Image.Capture(before.Snapshot, default), after.Snapshot, new Survivors(1), default, out string fault), fault);
        Assert.That(after.Told(), Is.EqualTo(told));

        // The new one counts on its own as well, and the old one is not done.
        Count(before);
        Count(after);
        Assert.That(after.Image.TryAdd(before.Image.TakeDifference(before.Snapshot, default), after.Snapshot, new Survivors(1), default, out fault), fault);
        Assert.That(after.Told()["l4balancer_connections_accepted_total{listener=\"wss\"}"], Is.EqualTo("6"));
        Assert.That(after.Told()["l4balancer_connection_duration_seconds_count{pool=\"chat\"}"], Is.EqualTo("3"));
        Assert.That(after.Told()["l4balancer_connection_duration_seconds_sum{pool=\"chat\"}"], Is.EqualTo("15.006"));
        Assert.That(after.Told()["l4balancer_event_loop_stalls_total{worker=\"0\"}"], Is.EqualTo("3"), "those of the old one have not grown");
    }

    [Test]
    public void List_of_what_does_not_go_over_is_of_this_version() =>
        Assert.That(Elsewhere.Keys.Where(n => n.StartsWith("process_", StringComparison.Ordinal)), Is.SubsetOf(Growing()));

    [Test]
    public void Counters_that_go_on_do_not_say_that_they_began_with_this_process()
    {
        using Process before = new(stalls: 3);
        Count(before);
        Assert.That(before.Metrics.Text(ScrapedMetrics.OpenMetrics), Does.Contain("\nl4balancer_connections_accepted_created{")
            .And.Contain("\nl4balancer_connect_duration_seconds_created{pool=\"chat\"} ").And.Contain("_bucket{pool=\"chat\",le=\"5.0\"}"));

        using Process after = new(stalls: 0);
        Assert.That(after.Image.TryAdd(before.Image.Capture(before.Snapshot, default), after.Snapshot, new Survivors(1), default, out string fault), fault);
        string text = after.Metrics.Text(ScrapedMetrics.OpenMetrics);
        Assert.That(text.Split('\n').Where(l => l.Contains("_created", StringComparison.Ordinal)), Has.All.StartsWith("process_"));
        Assert.That(text, Does.EndWith("\n# EOF\n").And.Contain("\nl4balancer_connections_accepted_total{listener=\"wss\"} 2\n"));
    }

    [Test]
    public void Event_loops_that_the_new_process_does_not_have_keep_what_they_counted()
    {
        using Process before = new(stalls: 3);
        before.Engine.Loads = [new WorkerLoad(0, 1, default, Stalls: 1, Spliced: 10), new WorkerLoad(1, 1, default, Stalls: 2, Spliced: 20)];
        using Process after = new(stalls: 0);
        after.Engine.Loads = [new WorkerLoad(0, 1, default, Stalls: 5, Spliced: 50)];
        Assert.That(after.Image.TryAdd(before.Image.Capture(before.Snapshot, default), after.Snapshot, new Survivors(1), default, out string fault), fault);

        Dictionary<string, string> told = after.Told();
        Assert.That(told["l4balancer_event_loop_stalls_total{worker=\"0\"}"], Is.EqualTo("6"));
        Assert.That(told["l4balancer_event_loop_stalls_total{worker=\"1\"}"], Is.EqualTo("2"));
        Assert.That(told["l4balancer_spliced_bytes_total{worker=\"1\"}"], Is.EqualTo("20"));

        using Process third = new(stalls: 0);
        Assert.That(third.Image.TryAdd(after.Image.Capture(after.Snapshot, default), third.Snapshot, new Survivors(1), default, out fault), fault);
        Assert.That(third.Told()["l4balancer_spliced_bytes_total{worker=\"0\"}"], Is.EqualTo("60"));
    }

    [Test]
    public void Durations_of_another_version_with_other_bounds_are_counted_in_the_next_larger_bucket()
    {
        using Process process = new(stalls: 0);
        var sheet = new CounterSheet();
        sheet[MetricNames.ConnectDuration + "/chat/0.0007"] = 2;
        sheet[MetricNames.ConnectDuration + "/chat/99"] = 1;
        sheet[MetricNames.ConnectDuration + "/chat/ticks"] = TimeSpan.TicksPerSecond;
        process.Metrics.Of.Durations.Add(sheet);

        Dictionary<string, string> told = process.Told();
        Assert.That(told["l4balancer_connect_duration_seconds_bucket{pool=\"chat\",le=\"0.0005\"}"], Is.EqualTo("0"));
        Assert.That(told["l4balancer_connect_duration_seconds_bucket{pool=\"chat\",le=\"0.001\"}"], Is.EqualTo("2"));
        Assert.That(told["l4balancer_connect_duration_seconds_bucket{pool=\"chat\",le=\"10\"}"], Is.EqualTo("2"));
        Assert.That(told["l4balancer_connect_duration_seconds_bucket{pool=\"chat\",le=\"+Inf\"}"], Is.EqualTo("3"));
        Assert.That(told["l4balancer_connect_duration_seconds_sum{pool=\"chat\"}"], Is.EqualTo("1"));
    }

    [Test]
    public async Task Errors_of_discovery_go_on()
    {
        await using DiscoveryService service = Undiscovered.With(TimeProvider.System);
        var sheet = new CounterSheet();
        sheet["chat"] = 3;
        service.Add(sheet);
        service.Add(sheet);
        var told = new CounterSheet();
        service.WriteTo(told);
        Assert.That(told["chat"], Is.EqualTo(6));
    }

    // Everything that a test can have count.
    private static void Count(Process process)
    {
        RoutingSnapshot snapshot = process.Snapshot;
        ConnectionRecord record = Connections.Closed(snapshot, CloseReason.Drain);
        process.Metrics.Of.Durations.Established(record);
        process.Metrics.Of.Durations.Ended(record);
        Connections.Refused(snapshot, CloseReason.Limit);
        snapshot.Listeners[0].State.CountKeyMissing();
        snapshot.State.CountAdminAuthFailure();
        snapshot.State.Reloads.Count(success: true);
        snapshot.State.Reloads.Count(success: false);
        process.Metrics.Of.Recovered.Add(adopted: 1, reset: 2);
        snapshot.State.Upgrades.Count(success: true);
        snapshot.State.Upgrades.Count(success: false);
        snapshot.Sources[0].CountExhausted();
        foreach (DnsResult result in DnsCounters.Results)
        {
            process.Dns.Count(result);
        }

        snapshot.Pools[0].State.EndpointAnswers.Count(EndpointResult.NoBackend);
        BackendState backend = snapshot.Pools[0].Backends[0].State;
        backend.Shed.Count(CloseReason.Drain);
        backend.ConnectFailures.Count(CloseReason.ConnectFailed);
        backend.Traffic(0).Add(10, 20);
        backend.Traffic(1).Add(1, 2);
        backend.Health.Count(ProbeOutcome.Success);
        backend.Health.Count(ProbeOutcome.Failure);
        backend.Health.Count(ProbeOutcome.LocalError);
        backend.Health.CountTransition(Connections.Start);
    }

    // Counters by their names; histograms as the page has them.
    private static IEnumerable<string> Growing() =>
        typeof(MetricNames).GetFields(BindingFlags.Public | BindingFlags.Static).Select(f => (string)f.GetRawConstantValue()!)
            .Where(n => n.EndsWith("_total", StringComparison.Ordinal) || n.EndsWith("_duration_seconds", StringComparison.Ordinal));

    /// <summary>The counters of one process, and their way in and out.</summary>
    private sealed class Process : IDisposable
    {
        // Of the service there is one for each process; what its watches count is the status.
        private readonly CounterSheet _discovery = new();

        public Process(long stalls)
        {
            BalancerConfig config = Connections.Config();
            config = config with { Pools = [.. config.Pools.Select(static p => p with { Discovery = new DiscoverySettings { File = "/etc/chat.toml" } })] };
            Snapshot = RoutingSnapshot.Build(new DesiredState(config, 100));
            Engine = new StillEngine { Loads = [new WorkerLoad(0, 1, default, stalls, 100 * stalls)] };
            _discovery["chat"] = stalls;
            var faults = new Faults(_discovery);
            Metrics = new ScrapedMetrics(
                () => Snapshot, () => Engine, dns: Dns,
                discovery: _ => new DiscoveryStatus("file", L4Balancer.Core.Discovery.Belief.Nothing, default, _discovery["chat"]));
            Image = new BalancerImage([.. Metrics.Of.Carried, Dns, faults]);
        }

        public RoutingSnapshot Snapshot { get; }

        public StillEngine Engine { get; }

        public DnsCounters Dns { get; } = new();

        public ScrapedMetrics Metrics { get; }

        public BalancerImage Image { get; }

        public void Dispose() => Metrics.Dispose();

        /// <summary>The series that count, with their values.</summary>
        public Dictionary<string, string> Told() => Metrics.Text().Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Where(l => l[0] != '#' && Growing().Any(m => l.StartsWith(m, StringComparison.Ordinal)) && !l.StartsWith("process_", StringComparison.Ordinal))
            .ToDictionary(l => l[..l.LastIndexOf(' ')], l => l[(l.LastIndexOf(' ') + 1)..]);

        private sealed class Faults(CounterSheet told) : ICarriedCounters
        {
            public string CarriedName => "discovery";

            public void WriteTo(CounterSheet sheet) => sheet["chat"] = told["chat"];

            public void Add(CounterSheet counted) => told["chat"] += counted["chat"];
        }
    }
}
