using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Discovery;
using L4Balancer.Core.Routing;
using L4Balancer.Discovery;
using L4Balancer.Metrics;
using L4Balancer.Tests.Documents;

namespace L4Balancer.Tests.Metrics;

/// <summary>What Prometheus finds before anything has happened: <c>increase()</c> does not count the value with which a series begins.</summary>
[NonParallelizable]
internal sealed class ZeroSeriesTests
{
    [Test]
    public void Every_counter_that_is_not_by_reason_is_there_at_zero_and_after_a_reload_for_what_it_adds()
    {
        RoutingSnapshot snapshot = RoutingSnapshot.Build(new(Config(backends: 2, "wss"), 1000));
        using var metrics = new ScrapedMetrics(
            () => snapshot, discovery: static _ => new DiscoveryStatus("file", Belief.Nothing, default, 0));
        Assert.That(metrics.Text().Split('\n'), Is.SupersetOf(Expected(backends: 2, "wss")));

        snapshot = RoutingSnapshot.Build(new(Config(backends: 3, "wss", "mqtt"), 1000), snapshot);
        Assert.That(metrics.Text().Split('\n'), Is.SupersetOf(Expected(backends: 3, "wss", "mqtt")));
    }

    [Test]
    public void The_counters_of_the_reference_page_are_those_of_this_test()
    {
        string[] counters =
        [
            .. MarkdownTable.Rows("docs/metrics.md", "metric").Where(r => r[1] == "counter")
                .Where(r => !MarkdownTable.Words(r[2]).Intersect([MetricNames.Reason, MetricNames.Worker]).Any())
                .Select(r => MarkdownTable.Words(r[0])[0]).Where(n => n.StartsWith("l4balancer_", StringComparison.Ordinal)),
        ];
        // Only a packet listener has these, and it starts them at zero (PacketTotalsTests).
        string[] ofPackets = [MetricNames.Packets, MetricNames.PacketBytes];
        string[] tested = [.. Expected(backends: 1, "wss").Select(l => l.Split('{')[0]).Distinct()];
        Assert.That(tested.Where(n => n.EndsWith("_total", StringComparison.Ordinal) && n != MetricNames.ConnectionsRefused), Is.EquivalentTo(counters.Except(ofPackets)));
    }

    // One pool for each listener, of the same name, and a source address for each pool.
    private static BalancerConfig Config(int backends, params string[] listeners)
    {
        BalancerConfig[] each = [.. listeners.Select(l => Connections.Config(backends, l, l))];
        return new BalancerConfig
        {
            Listeners = [.. each.Select((c, i) => c.Listeners[0] with { Bind = [new Endpoint(c.Listeners[0].Bind[0].Address, (ushort)(443 + i))] })],
            Pools = [.. each.Select((c, i) => c.Pools[0] with
            {
                SourceIps = [HostAddress.FromV4(0x0A00_0001u + (uint)i)],
                Discovery = new DiscoverySettings { File = "/etc/chat.toml" },
            })],
        };
    }

    private static IEnumerable<string> Expected(int backends, params string[] names)
    {
        yield return $"{MetricNames.AdminAuthFailures}{{}} 0";
        foreach (string result in (string[])["success", "failure"])
        {
            yield return $"{MetricNames.Reloads}{{result=\"{result}\"}} 0";
            yield return $"{MetricNames.Upgrades}{{result=\"{result}\"}} 0";
        }

        foreach (string result in (string[])["adopted", "reset"])
        {
            yield return $"{MetricNames.Recovered}{{result=\"{result}\"}} 0";
        }

        foreach (string result in (string[])["success", "no_data", "no_name", "truncated", "refused", "invalid", "slipped", "limited", "ignored"])
        {
            yield return $"{MetricNames.DnsAnswers}{{result=\"{result}\"}} 0";
        }

        for (int i = 0; i < names.Length; i++)
        {
            yield return $"{MetricNames.ConnectionsAccepted}{{listener=\"{names[i]}\"}} 0";
            yield return $"{MetricNames.RouteKeyMissing}{{listener=\"{names[i]}\"}} 0";
            yield return $"{MetricNames.DiscoveryErrors}{{pool=\"{names[i]}\"}} 0";
            yield return $"{MetricNames.QueueAbandoned}{{pool=\"{names[i]}\"}} 0";
            foreach (string result in (string[])["success", "no_backend", "limited"])
            {
                yield return $"{MetricNames.EndpointAnswers}{{pool=\"{names[i]}\",result=\"{result}\"}} 0";
            }

            yield return $"{MetricNames.SourcePortsExhausted}{{source_ip=\"10.0.0.{i + 1}\"}} 0";
            string[] reasons =
            [
                "connect_failed", "connect_timeout", "no_backend", "source_ports_exhausted", "limit", "internal",
                "inspect_timeout", "inspect_invalid", "proxy_header_invalid",
            ];
            foreach (string reason in reasons)
            {
                yield return $"{MetricNames.ConnectionsRefused}{{listener=\"{names[i]}\",reason=\"{reason}\"}} 0";
            }

            for (int b = 1; b <= backends; b++)
            {
                string of = $"backend=\"ws{b}\"";
                yield return $"{MetricNames.ConnectAttempts}{{{of},pool=\"{names[i]}\"}} 0";
                yield return $"{MetricNames.HealthTransitions}{{{of},pool=\"{names[i]}\"}} 0";
                yield return $"{MetricNames.RelayedBytes}{{{of},direction=\"to_backend\",pool=\"{names[i]}\"}} 0";
                yield return $"{MetricNames.RelayedBytes}{{{of},direction=\"to_client\",pool=\"{names[i]}\"}} 0";
                yield return $"{MetricNames.HealthChecks}{{{of},pool=\"{names[i]}\",result=\"local_error\"}} 0";
                yield return $"{MetricNames.HealthChecks}{{{of},pool=\"{names[i]}\",result=\"failure\"}} 0";
                yield return $"{MetricNames.ConnectionsActive}{{{of},pool=\"{names[i]}\"}} 0";
            }
        }
    }
}
