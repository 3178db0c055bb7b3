using System.Collections.Immutable;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Discovery;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Tests.Config;

namespace L4Balancer.Core.Tests.Routing;

/// <summary>The backends of a source beside those of the file, from the set that is believed to the snapshot.</summary>
internal sealed class DiscoveredTests
{
    private static readonly BalancerConfig Config = ConfigOf("");

    [Test]
    public void Discovered_backends_come_after_those_of_the_file_and_are_called_by_their_name_or_their_address()
    {
        Pool pool = Build(Config, Backend(3) with { Name = "c", Weight = 7, Backup = true, MaxConnections = 9, PublicUrl = "ws://c/" }, Backend(2)).Pools[0];

        Assert.That(pool.Backends.Select(b => (b.Name, b.Settings.Address)), Is.EqualTo(new[]
        {
            ("ws1", "10.0.1.21:8443"), ("10.0.0.2:80", "10.0.0.2:80"), ("c", "10.0.0.3:80"),
        }));
        Assert.That(pool.Backends[2].Settings is { Weight: 7, Backup: true, MaxConnections: 9, PublicUrl: "ws://c/" });
        Assert.That(pool.Backends[2].Endpoint, Is.EqualTo(Backend(3).Address));
    }

    [Test]
    public void The_file_wins_where_both_have_an_address_and_where_both_have_a_name()
    {
        DiscoveredBackend same = new(Parse("10.0.1.21:8443")) { Weight = 1, Name = "other" };
        Pool pool = Build(Config, same, Backend(9) with { Name = "ws1" }, Backend(8) with { Name = "x" }, Backend(7) with { Name = "x" }).Pools[0];

        Assert.That(pool.Backends.Select(b => $"{b.Name} {b.Settings.Address} {b.Weight}"), Is.EqualTo(new[]
        {
            "ws1 10.0.1.21:8443 100", "x 10.0.0.7:80 100", "10.0.0.8:80 10.0.0.8:80 100", "10.0.0.9:80 10.0.0.9:80 100",
        }));
    }

    [Test]
    public void The_ring_is_that_of_a_file_with_the_same_addresses()
    {
        RoutingSnapshot found = Build(Config, Backend(1) with { Name = "a" }, Backend(2));
        RoutingSnapshot written = RoutingSnapshot.Build(new DesiredState(
            Config with { Pools = [Config.Pools[0] with { Discovery = null, Backends = found.Pools[0].Settings.Backends }] }, 100));

        for (ushort port = 1; port < 2000; port++)
        {
            var tuple = new FourTuple(new Endpoint(HostAddress.FromV4(port), port), Parse("10.0.0.99:443"));
            Assert.That(found.Pools[0].Pick(tuple, []), Is.EqualTo(written.Pools[0].Pick(tuple, [])));
        }
    }

    [Test]
    public void A_set_that_has_not_changed_changes_no_pool_and_one_that_leaves_is_kept_with_its_counts()
    {
        Discovered first = After(Discovered.None, Config, Set(Backend(1), Backend(2)));
        RoutingSnapshot before = RoutingSnapshot.Build(new DesiredState(Config, 100) { Discovered = first });
        ImmutableArray<DiscoveredBackend> same = Set(Backend(1), Backend(2));
        Assert.That(After(After(Discovered.None, Config, same), Config, same) is var again && again == After(again, Config, same));

        Discovered second = After(first, Config, Set(Backend(2)));
        RoutingSnapshot after = RoutingSnapshot.Build(new DesiredState(Config, 100) { Discovered = second }, before);
        Assert.That(after.Pools[0].Backends.Select(b => b.Name), Is.EqualTo(new[] { "ws1", "10.0.0.2:80" }));
        Assert.That(after.Pools[0].Backends[1].State, Is.SameAs(before.Pools[0].Backends[2].State));
        Assert.That(after.Removed.Backends.Single().State, Is.SameAs(before.Pools[0].Backends[1].State));
    }

    [Test]
    public void An_own_listener_and_a_family_without_a_source_are_refused()
    {
        BalancerConfig config = ConfigOf("source_ips = [\"10.0.0.200\"]");
        Discovered found = After(Discovered.None, config, Set(
            Backend(1), new DiscoveredBackend(Parse("[2001:db8::1]:80")), new DiscoveredBackend(Parse("127.0.0.1:443"))));

        Assert.That(found.Of(config.Pools[0]).Backends.Select(b => b.Address), Is.EqualTo(new[] { "10.0.1.21:8443", "10.0.0.1:80" }));
        Assert.That(found.Refused.Select(r => $"{r.Pool} {r.Address}: {r.Why}"), Is.EquivalentTo(new[]
        {
            "chat [2001:db8::1]:80: source_ips has no address of its family",
            "chat 127.0.0.1:443: it, or the port of its probes, is listener wss (0.0.0.0:443) of this daemon",
        }));
    }

    [Test]
    public void A_pool_that_may_have_backends_later_has_none_and_refuses()
    {
        BalancerConfig config = Config with { Pools = [Config.Pools[0] with { Backends = [] }] };
        Pool pool = RoutingSnapshot.Build(new DesiredState(config, 100)).Pools[0];

        Assert.That((pool.HasAvailable, pool.TakesAny, pool.Pick(default(FourTuple), [])), Is.EqualTo((false, false, Pool.None)));
    }

    [Test]
    public void Without_its_table_a_pool_has_only_the_backends_of_the_file()
    {
        Discovered found = After(Discovered.None, Config, Set(Backend(1)));
        BalancerConfig without = Config with { Pools = [Config.Pools[0] with { Discovery = null }] };

        Assert.That(After(found, without, Set(Backend(1))).Of(without.Pools[0]), Is.SameAs(without.Pools[0]));
    }

    [Test]
    public void What_was_set_for_a_backend_survives_a_reload_while_its_pool_has_a_source()
    {
        DesiredState desired = new DesiredState(Config, 100).WithOverride("chat", "10.0.0.1:80", new BackendOverride(BackendMode.Draining, 5));

        Assert.That(desired.WithFile(ConfigOf("max_age = \"1h\""), 100).Overrides["chat", "10.0.0.1:80"].Mode, Is.EqualTo(BackendMode.Draining));
        BalancerConfig without = Config with { Pools = [Config.Pools[0] with { Discovery = null }] };
        Assert.That(desired.WithFile(without, 100).Overrides["chat", "10.0.0.1:80"].IsEmpty);
    }

    private static RoutingSnapshot Build(BalancerConfig config, params DiscoveredBackend[] set) =>
        RoutingSnapshot.Build(new DesiredState(config, 100) { Discovered = After(Discovered.None, config, Set(set)) });

    // As it is believed.
    private static ImmutableArray<DiscoveredBackend> Set(params DiscoveredBackend[] set) =>
        Belief.Nothing.After(new SourceReading.Complete([.. set], ""), default, TimeSpan.Zero, 100).Set!.Value;

    private static Discovered After(Discovered before, BalancerConfig config, ImmutableArray<DiscoveredBackend> set) => before.After(
        config, new Dictionary<string, ImmutableArray<DiscoveredBackend>> { ["chat"] = set }, OwnListeners.Of(config.Listeners));

    private static DiscoveredBackend Backend(int number) => new(new Endpoint(HostAddress.FromV4(0x0A00_0000u + (uint)number), 80));

    private static Endpoint Parse(string text) => Endpoint.TryParse(text, out Endpoint endpoint) ? endpoint : throw new FormatException(text);

    private static BalancerConfig ConfigOf(string pool)
    {
        ConfigText text = new ConfigText().WithSource("file");
        string[] words = pool.Split(" = ");
        return (words.Length == 2 ? text.With("[[pools]]", words[0], words[1]) : text).Load();
    }
}
