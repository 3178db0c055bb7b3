using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Tests.Connections;

namespace L4Balancer.Core.Tests.Routing;

/// <summary>What a new snapshot takes over from the one before: counters, by identity.</summary>
internal sealed class RoutingSnapshotTests
{
    [Test]
    public void Generations_count_from_one()
    {
        var desired = new DesiredState(Config(SetupScene.PoolOf(1)), 5);
        RoutingSnapshot first = RoutingSnapshot.Build(desired);
        RoutingSnapshot second = RoutingSnapshot.Build(desired.WithFile(Config(SetupScene.PoolOf(1)), 5), first);

        Assert.That((first.Generation, second.Generation), Is.EqualTo((1L, 2L)));
    }

    [Test]
    public void Cells_live_on_where_the_identity_is_the_same()
    {
        RoutingSnapshot before = RoutingSnapshot.Build(new(Config(SetupScene.PoolOf(2, "10.0.0.1")), 5));
        RoutingSnapshot after = RoutingSnapshot.Build(new(Config(SetupScene.PoolOf(3, "10.0.0.1", "10.0.0.2") with { ConnectAttempts = 9 }), 6), before);

        using (Assert.EnterMultipleScope())
        {
            Assert.That(after.State, Is.SameAs(before.State));
            Assert.That(after.Listeners[0].State, Is.SameAs(before.Listeners[0].State));
            Assert.That(after.Pools[0].Backends[0].State, Is.SameAs(before.Pools[0].Backends[0].State));
            Assert.That(after.Pools[0].Backends[1].State, Is.SameAs(before.Pools[0].Backends[1].State));
            Assert.That(Source(after), Is.SameAs(Source(before)));
            Assert.That(after.MaxConnections, Is.EqualTo(6));
        }
    }

    [Test]
    public void Backend_with_another_name_address_or_pool_counts_anew()
    {
        PoolSettings pool = SetupScene.PoolOf(1);
        BackendSettings backend = pool.Backends[0];
        RoutingSnapshot before = RoutingSnapshot.Build(new(Config(pool), 5));
        PoolSettings[] changed =
        [
            pool with { Backends = [backend with { Name = "other" }] },
            pool with { Backends = [backend with { Address = "10.0.1.77:80", Endpoint = SetupScene.At("10.0.1.77:80") }] },
            pool with { Name = "other" },
        ];

        foreach (PoolSettings settings in changed)
        {
            RoutingSnapshot after = RoutingSnapshot.Build(new(Config(settings), 5), before);
            Assert.That(after.Pools[0].Backends[0].State, Is.Not.SameAs(before.Pools[0].Backends[0].State));
        }
    }

    [Test]
    public void Backend_whose_address_is_written_in_another_way_goes_on_counting()
    {
        PoolSettings pool = SetupScene.PoolOf(2);
        BackendSettings named = pool.Backends[1] with { Address = "b1.internal:80", Endpoint = null, Host = new HostName("b1.internal", 80) };
        PoolSettings other = pool with { Backends = [pool.Backends[0], named] };
        RoutingSnapshot before = RoutingSnapshot.Build(new(Config(pool), 5));
        RoutingSnapshot byName = Build(other, before, "10.0.1.1");
        RoutingSnapshot back = RoutingSnapshot.Build(new(Config(pool), 5), byName);
        RoutingSnapshot elsewhere = Build(other, before, "10.0.1.9");
        RoutingSnapshot unknown = Build(other, before);
        Core.Accounting.BackendState state = before.Pools[0].Backends[1].State;

        using (Assert.EnterMultipleScope())
        {
            Assert.That(byName.Pools[0].Backends[1].State, Is.SameAs(state));
            Assert.That(byName.Removed.Backends, Is.Empty);
            Assert.That(back.Pools[0].Backends[1].State, Is.SameAs(state));
            Assert.That(elsewhere.Pools[0].Backends[1].State, Is.Not.SameAs(state));
            Assert.That(unknown.Pools[0].Backends[1].State, Is.Not.SameAs(state), "the name has no address yet");
        }

        static RoutingSnapshot Build(PoolSettings pool, RoutingSnapshot before, params string[] addresses)
        {
            Dictionary<string, NameAnswer> answers = new() { ["b1.internal"] = new([.. addresses.Select(a => SetupScene.At($"{a}:80").Address)], "") };
            BalancerConfig config = Config(pool);
            return RoutingSnapshot.Build(new(config, 5) { Names = Resolutions.None.After(config, answers) }, before);
        }
    }

    [Test]
    public void Backend_that_had_left_goes_on_counting_under_another_spelling_of_its_address()
    {
        PoolSettings two = SetupScene.PoolOf(2);
        RoutingSnapshot before = RoutingSnapshot.Build(new(Config(two), 5));
        before.Pools[0].Backends[1].State.CountEstablished();
        RoutingSnapshot without = RoutingSnapshot.Build(new(Config(two with { Backends = [two.Backends[0]] }), 5), before);
        BackendSettings spelt = two.Backends[1] with { Address = "[::ffff:10.0.1.1]:80" };
        RoutingSnapshot after = RoutingSnapshot.Build(new(Config(two with { Backends = [two.Backends[0], spelt] }), 5), without);

        Assert.That(without.Removed.Backends, Has.Length.EqualTo(1));
        Assert.That((after.Pools[0].Backends[1].State.Active, after.Removed.Backends.Length), Is.EqualTo((1, 0)));
    }

    [Test]
    public void Backend_keeps_its_cell_when_its_weight_or_place_changes()
    {
        PoolSettings pool = SetupScene.PoolOf(2);
        RoutingSnapshot before = RoutingSnapshot.Build(new(Config(pool), 5));
        PoolSettings turned = pool with { Backends = [pool.Backends[1], pool.Backends[0] with { Weight = 7 }] };

        Pool after = RoutingSnapshot.Build(new(Config(turned), 5), before).Pools[0];

        Assert.That(after.Backends[0].State, Is.SameAs(before.Pools[0].Backends[1].State));
        Assert.That(after.Backends[1].State, Is.SameAs(before.Pools[0].Backends[0].State));
    }

    [Test]
    public void Who_has_left_the_file_is_kept_and_goes_on_counting_when_it_comes_back()
    {
        PoolSettings two = SetupScene.PoolOf(2);
        PoolSettings one = two with { Backends = [two.Backends[0]] };
        RoutingSnapshot before = RoutingSnapshot.Build(new(Config(two), 5));
        Core.Accounting.BackendState left = before.Pools[0].Backends[1].State;

        RoutingSnapshot without = RoutingSnapshot.Build(new(Config(one), 5), before);
        RoutingSnapshot later = RoutingSnapshot.Build(new(Config(one), 5), without);
        RoutingSnapshot back = RoutingSnapshot.Build(new(Config(two), 5), later);

        using (Assert.EnterMultipleScope())
        {
            Assert.That(without.Removed.Backends.Single().State, Is.SameAs(left));
            Assert.That(later.Removed.Backends.Single().State, Is.SameAs(left));
            Assert.That(back.Removed.Backends, Is.Empty);
            Assert.That(back.Pools[0].Backends[1].State, Is.SameAs(left));
        }
    }

    [Test]
    public void A_pool_that_comes_back_counts_on_where_its_backends_do()
    {
        PoolSettings pool = SetupScene.PoolOf(2);
        PoolSettings other = SetupScene.PoolOf(1) with { Name = "q" };
        RoutingSnapshot before = RoutingSnapshot.Build(new(Config(pool), 5));
        before.Pools[0].Backends[1].State.CountEstablished();

        RoutingSnapshot without = RoutingSnapshot.Build(new(Config(other), 5), before);
        RoutingSnapshot back = RoutingSnapshot.Build(new(Config(pool), 5), without);

        Assert.That(back.Pools[0].State, Is.SameAs(before.Pools[0].State));
        Assert.That(back.Pools[0].State.Active, Is.EqualTo(1));
    }

    [Test]
    public void Of_those_at_rest_only_the_latest_are_kept()
    {
        RoutingSnapshot snapshot = RoutingSnapshot.Build(new(Config(SetupScene.PoolOf(1)), 5));
        snapshot.Pools[0].Backends[0].State.CountEstablished();
        for (int i = 0; i < 5000; i++)
        {
            PoolSettings pool = SetupScene.PoolOf(1);
            PoolSettings renamed = pool with { Backends = [pool.Backends[0] with { Name = $"r{i}" }] };
            snapshot = RoutingSnapshot.Build(new(Config(renamed), 5), snapshot);
        }

        Assert.That(snapshot.Removed.Backends, Has.Length.EqualTo(4097));
        Assert.That(snapshot.Removed.Backends[^1].Name, Is.EqualTo("b0"), "it still holds a connection");
    }

    [Test]
    public void Pools_that_leave_from_one_address_share_its_cell()
    {
        PoolSettings pool = SetupScene.PoolOf(1, "10.0.0.1");
        RoutingSnapshot snapshot = RoutingSnapshot.Build(new(new BalancerConfig { Pools = [pool, pool with { Name = "q" }] }, 5));
        HostAddress target = SetupScene.At("10.0.1.0:80").Address;

        Assert.That(snapshot.Sources, Has.Length.EqualTo(1));
        Assert.That(snapshot.Pools[1].Sources.At(target, 0, 0), Is.SameAs(snapshot.Pools[0].Sources.At(target, 0, 0)));
    }

    [Test]
    public void Listener_feeds_the_pool_that_it_names()
    {
        var config = new BalancerConfig
        {
            Pools = [SetupScene.PoolOf(1), SetupScene.PoolOf(1) with { Name = "q" }],
            Listeners = [new ListenerSettings { Name = "l", Bind = [SetupScene.At("127.0.0.1:80")], Pool = "q" }],
        };

        RoutingSnapshot snapshot = RoutingSnapshot.Build(new(config, 5));

        Assert.That(snapshot.Listeners[0].Pool, Is.SameAs(snapshot.Pools[1]));
    }

    private static Core.Accounting.LocalAddressState Source(RoutingSnapshot snapshot) => snapshot.Sources.Single(s => s.Label == "10.0.0.1");

    private static BalancerConfig Config(PoolSettings pool) => new()
    {
        Pools = [pool],
        Listeners = [new ListenerSettings { Name = "l", Bind = [SetupScene.At("127.0.0.1:80")], Pool = pool.Name }],
    };
}
