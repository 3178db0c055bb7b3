using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Ports;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Tests.Connections;
using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Tests.Ports;

/// <summary>Which counts a snapshot has, and what becomes of them at the next one.</summary>
internal sealed class PortBookTests
{
    private static readonly Instant Now = new(TimeSpan.TicksPerDay);

    [Test]
    public void Pools_that_share_a_destination_share_its_ports()
    {
        RoutingSnapshot snapshot = Build(Pool("a", "10.0.0.1"), Pool("b", "10.0.0.1"));

        Assert.That(snapshot.Pools[0].Backends[0].Sources[0], Is.SameAs(snapshot.Pools[1].Backends[0].Sources[0]));
        Assert.That(snapshot.Ports.Uses.Count(), Is.EqualTo(1));
    }

    [Test]
    public void Sources_of_a_backend_are_those_of_its_family()
    {
        RoutingSnapshot snapshot = Build(SetupScene.PoolOf(1, "10.0.0.1", "[2001:db8::1]", "10.0.0.2"));

        Assert.That(snapshot.Pools[0].Backends[0].Sources.Select(s => s.Source.Label), Is.EqualTo(["10.0.0.1", "10.0.0.2"]));
    }

    [Test]
    public void Count_survives_a_reload_by_source_and_destination()
    {
        RoutingSnapshot before = Build(Pool("a", "10.0.0.1"));
        PortUse use = before.Pools[0].Backends[0].Sources[0];
        use.Take();

        RoutingSnapshot after = RoutingSnapshot.Build(new(Config(Pool("other", "10.0.0.2", "10.0.0.1")), 100), before);

        Assert.That(after.Pools[0].Backends[0].Sources[1], Is.SameAs(use));
        Assert.That(after.Ports.Supply, Is.SameAs(before.Ports.Supply));
    }

    [Test]
    public void What_no_pool_needs_is_kept_while_ports_are_in_use_and_dropped_then()
    {
        RoutingSnapshot before = Build(Pool("a", "10.0.0.1"));
        PortUse use = before.Pools[0].Backends[0].Sources[0];
        use.Take();
        RoutingSnapshot after = RoutingSnapshot.Build(new(Config(Pool("a", "10.0.0.2")), 100), before);
        Assert.That(after.Ports.Uses, Does.Contain(use));

        use.Return(10_000, waits: true, Now);
        Assert.That(RoutingSnapshot.Build(new(Config(Pool("a", "10.0.0.2")), 100), after).Ports.Uses, Does.Contain(use), "TIME_WAIT");

        use.Sweep(Now + TimeSpan.FromMinutes(1));
        Assert.That(RoutingSnapshot.Build(new(Config(Pool("a", "10.0.0.2")), 100), after).Ports.Uses, Does.Not.Contain(use));
    }

    [Test]
    public void Fullest_destination_speaks_for_its_source_and_sources_never_used_say_nothing()
    {
        RoutingSnapshot snapshot = Build(SetupScene.PoolOf(3, "10.0.0.1", "10.0.0.2"));
        PortUse[] uses = [.. snapshot.Pools[0].Backends.Select(b => b.Sources[0])];
        uses[0].Take();
        uses[1].Take();
        uses[1].Take();
        uses[2].Take();

        (PortUse use, int inUse) = snapshot.Ports.Fullest(Now).Single();

        Assert.That((use, inUse), Is.EqualTo((uses[1], 2)));
    }

    private static PoolSettings Pool(string name, params string[] sources) => SetupScene.PoolOf(1, sources) with { Name = name };

    private static BalancerConfig Config(params PoolSettings[] pools) => new() { Pools = [.. pools] };

    private static RoutingSnapshot Build(params PoolSettings[] pools) => RoutingSnapshot.Build(new(Config(pools), 100));
}
