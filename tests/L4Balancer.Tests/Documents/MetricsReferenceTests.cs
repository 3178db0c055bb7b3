using System.Reflection;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Config;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Discovery;
using L4Balancer.Core.Fleet;
using L4Balancer.Core.Health;
using L4Balancer.Core.Ports;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Timing;
using L4Balancer.Discovery;
using L4Balancer.Engine;
using L4Balancer.Engine.Packets;
using L4Balancer.Fleet;
using L4Balancer.Metrics;
using L4Balancer.Packets;
using L4Balancer.Tests.Control;
using L4Balancer.Tests.Metrics;
using Microsoft.Extensions.Time.Testing;

namespace L4Balancer.Tests.Documents;

/// <summary>docs/metrics.md against what a scrape has.</summary>
[NonParallelizable]
internal sealed class MetricsReferenceTests
{
    private const string Page = "docs/metrics.md";

    private static readonly (string Suffix, string Unit)[] Suffixes =
        [("_seconds", "seconds"), ("_seconds_total", "seconds"), ("_bytes", "bytes"), ("_bytes_total", "bytes"), ("_ratio", "ratio"), ("_fds", "descriptors")];

    [Test]
    public void Every_metric_has_its_row_with_type_and_labels_and_no_row_is_without_one()
    {
        Dictionary<string, (string Type, SortedSet<string> Labels)> published = Published(Scrape());
        Dictionary<string, (string Type, string[] Labels)> described = MarkdownTable.Rows(Page, "metric")
            .ToDictionary(r => MarkdownTable.Words(r[0])[0], r => (r[1], MarkdownTable.Words(r[2])));
        Assert.That(described.Keys, Is.EquivalentTo(published.Keys));
        using (Assert.EnterMultipleScope())
        {
            foreach ((string name, (string type, SortedSet<string> labels)) in published)
            {
                Assert.That(described[name].Type, Is.EqualTo(type), name);
                Assert.That(described[name].Labels, Is.EqualTo(labels), name);
            }
        }

        Assert.That(published.Keys, Is.EquivalentTo(Constants().Where(IsMetric)), "the scrape of this test has them all");
    }

    [Test]
    public void Every_row_has_a_meaning_and_the_unit_that_the_name_says()
    {
        foreach (string[] row in MarkdownTable.Rows(Page, "metric"))
        {
            string name = MarkdownTable.Words(row[0])[0];
            Assert.That(row, Has.Length.EqualTo(5), name);
            Assert.That(row[4], Has.Length.GreaterThan(10), name);
            string? unit = Suffixes.Where(s => name.EndsWith(s.Suffix, StringComparison.Ordinal)).Select(s => s.Unit).FirstOrDefault();
            Assert.That(row[3], unit is null ? Is.Not.Empty : Is.EqualTo(unit), name);
        }
    }

    [Test]
    public void Every_label_and_every_value_of_a_fixed_set_is_described()
    {
        string[][] rows = MarkdownTable.Rows(Page, "label");
        string[] labels =
        [
            MetricNames.Listener, MetricNames.Pool, MetricNames.Backend, MetricNames.Reason, MetricNames.Direction, MetricNames.State,
            MetricNames.Result, MetricNames.SourceIp, MetricNames.Worker, MetricNames.Kind, MetricNames.Version, MetricNames.Commit, MetricNames.Engine,
        ];
        Assert.That(rows.SelectMany(r => MarkdownTable.Words(r[0])), Is.EqualTo(labels));
        string[] values = [.. Constants().Except(labels).Where(n => !IsMetric(n) && n != MetricNames.Meter)];
        Assert.That(values, Does.Contain(MetricNames.Success).And.Contain(MetricNames.ToClient));
        Assert.That(rows.SelectMany(r => MarkdownTable.Words(r[1])), Is.SupersetOf(values));
    }

    private static bool IsMetric(string name) =>
        name.StartsWith("l4balancer_", StringComparison.Ordinal) || name.StartsWith("process_", StringComparison.Ordinal);

    private static IEnumerable<string> Constants() =>
        typeof(MetricNames).GetFields(BindingFlags.Public | BindingFlags.Static).Select(f => (string)f.GetRawConstantValue()!);

    private static Dictionary<string, (string Type, SortedSet<string> Labels)> Published(string text)
    {
        Dictionary<string, (string Type, SortedSet<string> Labels)> found = [];
        string[] lines = text.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        foreach (string[] type in lines.Where(l => l.StartsWith("# TYPE ", StringComparison.Ordinal)).Select(l => l.Split(' ')))
        {
            found.TryAdd(type[2], (type[3], new SortedSet<string>(StringComparer.Ordinal)));
        }

        foreach (string line in lines.Where(l => l[0] != '#'))
        {
            int brace = line.IndexOf('{', StringComparison.Ordinal);
            string name = line[..brace];
            string metric = found.ContainsKey(name) ? name : name[..name.LastIndexOf('_')];
            string[] labels = line[(brace + 1)..line.LastIndexOf('}')].Split("\",", StringSplitOptions.RemoveEmptyEntries);
            found[metric].Labels.UnionWith(labels.Select(l => l.Split('=')[0]).Where(l => l != "le"));
        }

        return found;
    }

    // Everything has counted, so that there is a series of each.
    private static string Scrape()
    {
        BalancerConfig config = Connections.Config(backends: 1);
        config = config with { Listeners = [.. config.Listeners.Select(static l => l with { Mode = ListenerMode.Packet })] };
        config = config with { Pools = [.. config.Pools.Select(static p => p with { Discovery = new DiscoverySettings { File = "/etc/chat.toml" } })] };
        RoutingSnapshot snapshot = RoutingSnapshot.Build(new DesiredState(config, 100));
        var clock = new FakeTimeProvider();
        var fleet = new FleetStatus("chat", "lb1", "", default, "", [], FleetStatus.Compare([]), FleetIntents.None);
        var engine = new StillEngine { Loads = [new WorkerLoad(0, 1, TimeSpan.FromMilliseconds(1))] };
        using var metrics = new ScrapedMetrics(
            () => snapshot, () => engine, clock, () => fleet, _ => new DiscoveryStatus("file", Belief.Nothing, Instant.Now(clock), 0),
            packets: PacketTotals.Of(snapshot, new PacketReading([new(snapshot.Listeners[0].Name, "", 1)], [], [new("no-way", 1)])));
        ConnectionRecord record = Connections.Closed(snapshot, CloseReason.Drain);
        metrics.Of.Durations.Established(record);
        metrics.Of.Durations.Ended(record);
        Backend backend = snapshot.Pools[0].Backends[0];
        backend.State.Shed.Count(CloseReason.Drain);
        backend.State.ConnectFailures.Count(CloseReason.ConnectFailed);
        backend.State.Health.Count(ProbeOutcome.Success);
        snapshot.Ports.Supply.Range = PortRange.Parse("40000 40999", "");


        // The ratio of a worker is taken over a second or more.
        clock.Advance(TimeSpan.FromSeconds(2));
        return metrics.Text();
    }
}
