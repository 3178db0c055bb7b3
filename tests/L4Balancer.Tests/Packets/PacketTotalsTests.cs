using L4Balancer.Core.Config;
using L4Balancer.Core.Routing;
using L4Balancer.Engine.Packets;
using L4Balancer.Packets;
using L4Balancer.Tests.Metrics;

namespace L4Balancer.Tests.Packets;

/// <summary>What the kernel has counted, by the names that users see.</summary>
internal sealed class PacketTotalsTests
{
    private static readonly PacketReading Reading = new(
        [new("wss", "XDP native on eth0", 7)],
        [
            new("wss", "ws1 10.0.0.1:443", default, 10, 1_000, "02:00:00:00:01:07"),
            new("wss", "ws2 10.0.0.2:443", default, 20, 2_000, null),
            new("other", "ws2 10.0.0.2:443", default, 40, 4_000, null),
        ],
        [new("no-backend", 3), new("fragment", 0)]);

    [Test]
    public void Counters_of_the_backends_of_a_pool_are_those_of_its_listeners()
    {
        PacketTotals totals = PacketTotals.Of(PacketPool.Snapshot(PacketPool.Config(3)), Reading);

        Assert.That(totals.OfBackend("chat", "ws1"), Is.EqualTo(new PacketCount(10, 1_000, "02:00:00:00:01:07")));
        Assert.That(totals.OfBackend("chat", "ws2"), Is.EqualTo(new PacketCount(20, 2_000, null)));
        Assert.That(totals.OfBackend("chat", "ws3"), Is.EqualTo(default(PacketCount)), "at zero from the start");
        Assert.That(totals.OfListener("wss")?.Flows, Is.EqualTo(7));
    }

    [Test]
    public void Pool_of_relayed_connections_has_none() => Assert.That(
        PacketTotals.Of(PacketPool.Snapshot(PacketPool.Config(3, mode: ListenerMode.Relay)), PacketReading.Empty).OfBackend("chat", "ws1"), Is.Null);

    [Test]
    public void Scrape_has_them()
    {
        RoutingSnapshot snapshot = PacketPool.Snapshot(PacketPool.Config(3));
        using var metrics = new ScrapedMetrics(() => snapshot, packets: PacketTotals.Of(snapshot, Reading));

        string text = metrics.Text();
        Assert.That(text, Does.Contain("l4balancer_packets_total{backend=\"ws2\",pool=\"chat\"} 20"));
        Assert.That(text, Does.Contain("l4balancer_packets_total{backend=\"ws3\",pool=\"chat\"} 0"));
        Assert.That(text, Does.Contain("l4balancer_packet_bytes_total{backend=\"ws1\",pool=\"chat\"} 1000"));
        Assert.That(text, Does.Contain("l4balancer_packets_dropped_total{reason=\"no-backend\"} 3"));
        Assert.That(text, Does.Contain("l4balancer_packet_flows{listener=\"wss\"} 7"));
        Assert.That(text, Does.Contain("l4balancer_packet_attached{listener=\"wss\"} 1"));
    }
}
