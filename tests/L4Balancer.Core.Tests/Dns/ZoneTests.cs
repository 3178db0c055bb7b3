using System.Collections.Immutable;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Dns;
using L4Balancer.Core.Health;
using L4Balancer.Core.Routing;
using Microsoft.Extensions.Time.Testing;
using static L4Balancer.Core.Tests.Dns.DnsScene;

namespace L4Balancer.Core.Tests.Dns;

/// <summary>What the zone has: names by the configuration, records by what lives.</summary>
internal sealed class ZoneTests
{
    [Test]
    public void A_backend_that_takes_no_new_connections_has_no_record_but_keeps_its_name()
    {
        RoutingSnapshot snapshot = Snapshot(("chat", [.. Enumerable.Range(1, 5).Select(i => Backend($"ws{i}", $"wss://203.0.113.{i}/"))]));
        Pool pool = snapshot.Pools[0];
        pool.SetMode(0, BackendMode.Draining);
        pool.SetMode(1, BackendMode.Maintenance);
        pool.SetHealth(new Dictionary<int, HealthState> { [2] = HealthState.Down, [3] = HealthState.Degraded });
        DnsZone zone = Zone(snapshot);

        Assert.That(Ask(zone, "chat.lb.example.com", A).Data, Is.EqualTo(new[] { "203.0.113.5" }));
        Assert.That(Ask(zone, "chat.lb.example.com", Srv).Data, Is.EqualTo(new[] { "0 100 443 ws5.chat.lb.example.com." }));
        DnsReply drained = Ask(zone, "ws1.chat.lb.example.com", A);
        Assert.That((drained.Code, drained.Answers.Length), Is.EqualTo((0, 0)));
    }

    [Test]
    public void Backups_take_the_place_of_primaries_and_stay_at_a_lower_priority()
    {
        RoutingSnapshot snapshot = Snapshot(("chat", [Backend("a", "ws://203.0.113.1/"), Backend("bb", "ws://203.0.113.2/", backup: true)]));
        Assert.That(Ask(Zone(snapshot), "chat.lb.example.com", A).Data, Is.EqualTo(new[] { "203.0.113.1" }));
        snapshot.Pools[0].SetMode(0, BackendMode.Draining);
        DnsZone without = Zone(snapshot);
        Assert.That(Ask(without, "chat.lb.example.com", A).Data, Is.EqualTo(new[] { "203.0.113.2" }));
        Assert.That(Ask(without, "chat.lb.example.com", Srv).Data, Is.EqualTo(new[] { "1 100 80 bb.chat.lb.example.com." }));
    }

    [Test]
    public void Names_become_labels_and_what_collides_is_left_out()
    {
        DnsZone zone = Zone(
            ("Chat.EU", [Backend("ws_1", "ws://203.0.113.1/"), Backend("WS-1", "ws://203.0.113.2/"), Backend("...", "ws://203.0.113.3/")]),
            ("chat-eu", [Backend("a", "ws://203.0.113.4/")]),
            ("ns", [Backend("a", "ws://203.0.113.5/")]),
            (new string('x', 64), [Backend("a", "ws://203.0.113.6/")]));

        Assert.That(Ask(zone, "chat-eu.lb.example.com", Srv).Data, Is.EqualTo(new[] { "0 100 80 ws-1.chat-eu.lb.example.com." }));
        Assert.That(Ask(zone, "chat-eu.lb.example.com", A).Data, Is.EquivalentTo(new[] { "203.0.113.1", "203.0.113.2", "203.0.113.3" }));
        Assert.That(zone.LeftOut.Select(l => l.Split(':')[0]), Is.EqualTo(new[]
        {
            "backend Chat.EU/WS-1", "backend Chat.EU/...", "pool chat-eu", "pool ns", $"pool {new string('x', 64)}",
        }));
    }

    [Test]
    public void The_same_address_or_target_twice_is_one_record_with_both_weights()
    {
        DnsZone zone = Zone(("chat",
        [
            Backend("a", "ws://h.example.net/", weight: 7), Backend("bb", "ws://H.example.net:80/x", weight: 5),
            Backend("ccc", "ws://203.0.113.1/"), Backend("dddd", "ws://203.0.113.1:81/"),
        ]));
        Assert.That(Ask(zone, "chat.lb.example.com", A).Data, Is.EqualTo(new[] { "203.0.113.1" }));
        Assert.That(Ask(zone, "chat.lb.example.com", Srv).Data, Is.EqualTo(new[]
        {
            "0 12 80 h.example.net.", "0 100 80 ccc.chat.lb.example.com.", "0 100 81 dddd.chat.lb.example.com.",
        }));
    }

    [TestCase("wss://a.example/", "wss a.example 443")]
    [TestCase("ws://A.example:8080/x?y", "ws a.example 8080")]
    [TestCase("https://192.0.2.1/", "https 192.0.2.1 443")]
    [TestCase("http://[2001:db8::1]:81", "http 2001:db8::1 81")]
    [TestCase("", null)]
    [TestCase("/chat", null)]
    [TestCase("mailto:a@b", null)]
    public void Public_address_is_that_of_the_URL(string url, string? expected) => Assert.That(
        PublicAddress.TryParse(url, out PublicAddress at) ? $"{at.Scheme} {at.Address?.ToString() ?? at.Host} {at.Port}" : null, Is.EqualTo(expected));

    [Test]
    public void Addresses_come_by_their_weights_and_at_most_eight_at_a_time()
    {
        int[] weights = [.. Enumerable.Range(1, 20).Select(i => 10 * i)];
        DnsZone zone = Zone(("chat", [.. weights.Select((w, i) => Backend($"ws{i}", $"ws://203.0.113.{i}/", w))]));
        const int Draws = 20_000;
        var first = new int[weights.Length];
        for (ulong draw = 0; draw < Draws; draw++)
        {
            DnsReply reply = Ask(zone, "chat.lb.example.com", A, draw: draw);
            Assert.That((reply.Data.Distinct().Count(), reply.IsTruncated), Is.EqualTo((8, false)));
            first[int.Parse(reply.Data[0].Split('.')[3], System.Globalization.CultureInfo.InvariantCulture)]++;
        }

        for (int i = 0; i < weights.Length; i++)
        {
            double expected = Draws * (double)weights[i] / weights.Sum();
            Assert.That(first[i], Is.EqualTo(expected).Within(5 * Math.Sqrt(expected)), $"weight {weights[i]}");
        }
    }

    [Test]
    public void A_weight_far_above_the_others_does_not_keep_them_out()
    {
        DnsZone zone = Zone(("chat", [.. Enumerable.Range(0, 8).Select(i => Backend($"ws{i}", $"ws://203.0.113.{i}/", i == 0 ? 1000 : 1))]));
        for (ulong draw = 0; draw < 100; draw++)
        {
            Assert.That(Ask(zone, "chat.lb.example.com", A, draw: draw).Data.Distinct().Count(), Is.EqualTo(8));
        }
    }

    [Test]
    public void Without_a_living_balancer_only_the_name_server_keeps_an_address()
    {
        DnsZone zone = ZoneBuilder.Build(Settings, [], [], 1);
        Assert.That(Ask(zone, "lb.example.com", A).Answers, Is.Empty);
        Assert.That(Ask(zone, "ns.lb.example.com", A).Data, Is.EqualTo(new[] { "192.0.2.10" }));
    }

    [Test]
    public void The_view_follows_what_lives_within_a_tenth_of_a_second_and_its_serial_grows()
    {
        var clock = new FakeTimeProvider(DateTimeOffset.FromUnixTimeSeconds(1_800_000_000));
        RoutingSnapshot snapshot = Snapshot(("chat", [Backend("a", "ws://203.0.113.1/"), Backend("bb", "ws://203.0.113.2/")]));
        var balancers = new Balancers();
        var view = new DnsView(() => snapshot, () => Settings, balancers, clock);
        DnsZone first = view.Current();
        Assert.That(first.Serial, Is.EqualTo(1_800_000_000));

        clock.Advance(TimeSpan.FromSeconds(1));
        Assert.That(view.Current(), Is.SameAs(first), "nothing has changed");
        snapshot.Pools[0].SetMode(0, BackendMode.Draining);
        Assert.That(view.Current(), Is.SameAs(first), "looked at a moment ago");
        clock.Advance(TimeSpan.FromMilliseconds(100));
        DnsZone drained = view.Current();
        Assert.That(Ask(drained, "chat.lb.example.com", A).Data, Is.EqualTo(new[] { "203.0.113.2" }));
        balancers.Living = Addresses("192.0.2.77");
        DnsZone moved = view.Renew();
        Assert.That(Ask(moved, "lb.example.com", A).Data, Is.EqualTo(new[] { "192.0.2.77" }));
        snapshot = Snapshot(("chat", [Backend("ccc", "ws://203.0.113.3/")]));
        DnsZone reloaded = view.Renew();
        Assert.That(Ask(reloaded, "chat.lb.example.com", A).Data, Is.EqualTo(new[] { "203.0.113.3" }));
        Assert.That(new[] { first.Serial, drained.Serial, moved.Serial, reloaded.Serial }, Is.Ordered.And.Unique);
    }

    private sealed class Balancers : IBalancerAddresses
    {
        public ImmutableArray<HostAddress> Living { get; set; } = Settings.Address;
    }
}
