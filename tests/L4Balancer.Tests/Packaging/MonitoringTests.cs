using System.Diagnostics;
using System.Reflection;
using System.Text.Json;
using System.Text.RegularExpressions;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Routing;
using L4Balancer.Metrics;
using L4Balancer.Tests.Metrics;

namespace L4Balancer.Tests.Packaging;

/// <summary>The alert rules and the dashboard against the code: every name in them is one that the daemon publishes.</summary>
internal sealed partial class MonitoringTests
{
    private static readonly string[] Published =
    [
        .. typeof(MetricNames).GetFields(BindingFlags.Public | BindingFlags.Static).Select(f => (string)f.GetRawConstantValue()!),
    ];

    private static readonly HashSet<string> Series =
    [
        .. Published.Where(n => n.StartsWith("l4balancer_", StringComparison.Ordinal) || n.StartsWith("process_", StringComparison.Ordinal)),
        .. new[] { MetricNames.ConnectDuration, MetricNames.ConnectionDuration }.SelectMany(h => new[] { h + "_bucket", h + "_sum", h + "_count" }),
    ];

    /// <summary>Of packets that are dropped.</summary>
    private static readonly string[] PacketReasons = ["fragment", "no-backend", "no-way", "no-room", "too-big"];

    private static string Rules => File.ReadAllText(Repository.PathOf("packaging", "prometheus", "alerts.yml"));

    private static string Dashboard => File.ReadAllText(Repository.PathOf("packaging", "grafana", "l4balancer.json"));

    [Test]
    public void Every_metric_in_them_is_published()
    {
        string[] inRules = [.. Metric().Matches(Rules).Select(m => m.Value)];
        string[] inDashboard = [.. Metric().Matches(Dashboard).Select(m => m.Value)];
        Assert.That(inRules, Has.Length.GreaterThan(10));
        Assert.That(inDashboard, Has.Length.GreaterThan(20));
        Assert.That(inRules.Concat(inDashboard).Distinct().Except(Series), Is.Empty);
    }

    [Test]
    public void Every_label_and_every_value_of_one_is_published()
    {
        HashSet<string> reasons = [.. Enumerable.Range(0, CloseReasons.Count).Select(i => ((CloseReason)i).Name())];
        string[] ours = ["instance", "job", "le"];
        foreach (Match match in Matcher().Matches(Rules + Regex.Unescape(Dashboard)))
        {
            (string label, string value) = (match.Groups[1].Value, match.Groups[2].Value);
            Assert.That(Published.Concat(ours), Does.Contain(label), match.Value);
            string[] values = value.StartsWith('$') ? [] : value.Split('|');
            string[] known = label switch
            {
                MetricNames.Reason => [.. reasons, .. PacketReasons],
                MetricNames.State => [MetricNames.Up, MetricNames.Degraded, MetricNames.Down, MetricNames.Draining, MetricNames.Maintenance, MetricNames.Checking],
                MetricNames.Result => [MetricNames.Success, MetricNames.Failure, MetricNames.LocalError],
                MetricNames.Direction => [MetricNames.ToBackend, MetricNames.ToClient],
                _ => values,
            };
            Assert.That(values.Except(known), Is.Empty, match.Value);
        }
    }

    [Test]
    public void Refusals_that_alert_exist_at_zero()
    {
        string[] refusals =
        [
            "denied", "limit", "no_backend", "connect_failed", "connect_timeout", "source_ports_exhausted", "inspect_timeout", "inspect_invalid",
            "proxy_header_invalid", "client_reset", "client_closed", "shutdown", "admin", "internal",
        ];
        string[] excepted = Refusals().Match(Rules).Groups[1].Value.Split('|');
        Assert.That(excepted, Has.Length.GreaterThan(1));
        Assert.That(ListenerInstruments.Alerted.Select(r => r.Name()), Is.EquivalentTo(refusals.Except(excepted)));
    }

    [Test]
    public void Every_alert_has_its_line_in_the_handbook()
    {
        string[] alerts = [.. Alert().Matches(Rules).Select(m => m.Groups[1].Value)];
        string[] explained = [.. Explained().Matches(File.ReadAllText(Repository.PathOf("docs", "operations.md"))).Select(m => m.Groups[1].Value)];
        Assert.That(alerts, Is.Unique.And.Not.Empty);
        Assert.That(explained, Is.EquivalentTo(alerts));
    }

    [Test]
    public void Every_alert_leads_to_its_line_and_says_since_when_its_series_exist()
    {
        BalancerConfig config = Connections.Config(backends: 2);
        config = config with { Pools = [config.Pools[0] with { SourceIps = [HostAddress.FromV4(0x0A00_0001u)] }] };
        RoutingSnapshot snapshot = RoutingSnapshot.Build(new(config, 1000));
        using var metrics = new ScrapedMetrics(() => snapshot);
        string scraped = metrics.Text();
        string handbook = File.ReadAllText(Repository.PathOf("docs", "operations.md"));
        Match[] rules = [.. Rule().Matches(Rules).Cast<Match>()];
        Assert.That(rules, Has.Length.EqualTo(Alert().Count(Rules)));
        foreach (Match rule in rules)
        {
            (string name, string expression, string runbook, string series) = (rule.Groups[1].Value, rule.Groups[2].Value, rule.Groups[3].Value, rule.Groups[4].Value);
            Assert.That(runbook, Is.EqualTo($"file:///usr/share/doc/l4balancer/docs/operations.md#{name.ToLowerInvariant()}"));
            Assert.That(handbook, Does.Contain($"| `{name}`<a id=\"{name.ToLowerInvariant()}\"></a> |"));
            Assert.That(Metric().Matches(series).Select(m => m.Value), Is.EquivalentTo(Metric().Matches(expression).Select(m => m.Value).Distinct()), name);
            foreach (string part in series.Split("; ").Where(p => p.EndsWith(": from the start", StringComparison.Ordinal)))
            {
                foreach (string metric in part.Split(": ")[0].Split(", ").Where(m => !m.StartsWith("process_", StringComparison.Ordinal)))
                {
                    Assert.That(scraped, Does.Contain($"\n{metric}{{"), name);
                }
            }
        }
    }

    [TestCase("check", "alerts.yml")]
    [TestCase("test", "alerts_test.yml")]
    public async Task Prometheus_takes_the_rules_and_they_fire_as_they_should(string verb, string file)
    {
        if (!File.Exists("/usr/local/bin/promtool") && !File.Exists("/usr/bin/promtool"))
        {
            Assert.Ignore("promtool is not installed: make test-deps");
        }

        using Process process = Process.Start(new ProcessStartInfo("promtool", [verb, "rules", file])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = Repository.PathOf("packaging", "prometheus"),
        })!;
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        string errors = await process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.That(process.ExitCode, Is.Zero, await output + errors);
    }

    [Test]
    public void The_dashboard_is_whole()
    {
        JsonElement dashboard = JsonDocument.Parse(Dashboard).RootElement;
        JsonElement[] panels = [.. dashboard.GetProperty("panels").EnumerateArray()];
        Assert.That(panels.Select(p => p.GetProperty("id").GetInt32()), Is.Unique);
        foreach (JsonElement panel in panels.Where(p => p.GetProperty("type").GetString() != "row"))
        {
            Assert.That(panel.GetProperty("targets").EnumerateArray().Select(t => t.GetProperty("expr").GetString()), Has.All.Contains("$instance"));
        }
    }

    [GeneratedRegex(@"\b(l4balancer_[a-z_]+|process_[a-z_]+)\b")]
    private static partial Regex Metric();

    [GeneratedRegex(@"([a-z_]+)(?:=|!=|=~|!~)""([^""]*)""")]
    private static partial Regex Matcher();

    [GeneratedRegex(@"connections_refused_total\{reason!~""([^""]*)""\}")]
    private static partial Regex Refusals();

    [GeneratedRegex("""- alert: (\w+)\n +expr: (.*?)\n +(?:for|labels):.*?\n +runbook_url: "(.*?)"\n +series: "(.*?)"\n""", RegexOptions.Singleline)]
    private static partial Regex Rule();

    [GeneratedRegex(@"- alert: (\w+)")]
    private static partial Regex Alert();

    [GeneratedRegex(@"^\| `(L4Balancer\w+)`", RegexOptions.Multiline)]
    private static partial Regex Explained();
}
