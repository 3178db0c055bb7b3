using System.Collections.Immutable;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Health;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Tests.Connections;

namespace L4Balancer.Core.Tests.Routing;

/// <summary>A new snapshot builds the pools that have changed, and takes the others over with their rings, health and modes.</summary>
internal sealed class PoolReuseTests
{
    private static readonly HealthSettings Probed =
        new() { Headers = ImmutableSortedDictionary<string, string>.Empty.Add("X-Probe", "1") };

    [Test]
    public void A_weight_change_of_one_pool_of_a_hundred_rebuilds_that_pool_alone()
    {
        BalancerConfig config = Config(Enumerable.Range(0, 100).Select(i => Pool() with { Name = $"p{i}" }));
        var desired = new DesiredState(config, 5);
        RoutingSnapshot before = RoutingSnapshot.Build(desired);

        RoutingSnapshot after = RoutingSnapshot.Build(
            desired with { Overrides = BackendOverrides.None.With("p42", "b1", new BackendOverride(BackendMode.Ready, 7)) }, before);

        Assert.That(
            after.Pools.Zip(before.Pools).Where(p => p.First != p.Second).Select(p => p.First.Name), Is.EqualTo(new[] { "p42" }));
        Assert.That(after.Pools[42].Backends[1].Weight, Is.EqualTo(7));
        Assert.That(after.Listeners[0].Pool, Is.SameAs(after.Pools[0]));
    }

    [Test]
    public void A_file_that_says_the_same_again_rebuilds_nothing_and_changes_no_state()
    {
        RoutingSnapshot before = RoutingSnapshot.Build(new(Config([Pool()]), 5));
        Pool pool = before.Pools[0];
        pool.SetHealth(new Dictionary<int, HealthState> { [1] = HealthState.Down });
        pool.SetMode(0, BackendMode.Draining);
        BackendOverrides draining = BackendOverrides.None.With("p", "b0", new BackendOverride(BackendMode.Draining, null));

        RoutingSnapshot after = RoutingSnapshot.Build(new(Config([Pool()]), 5) { Overrides = draining }, before);

        Assert.That(after.Pools[0], Is.SameAs(pool));
        Assert.That((pool.StatusOf(0), pool.StatusOf(1)), Is.EqualTo((BackendStatus.Draining, BackendStatus.Down)));
        Assert.That(after.Ports.Uses, Is.EquivalentTo(before.Ports.Uses), "the ports of a pool that stays are still known");
    }

    [TestCaseSource(nameof(Changes))]
    public void Whatever_the_file_changes_in_a_pool_rebuilds_it(Func<PoolSettings, PoolSettings> change)
    {
        RoutingSnapshot before = RoutingSnapshot.Build(new(Config([Pool()]), 5));

        RoutingSnapshot after = RoutingSnapshot.Build(new(Config([change(Pool())]), 5), before);

        Assert.That(after.Pools[0], Is.Not.SameAs(before.Pools[0]));
        Assert.That(after.Pools[0].Settings, Is.Not.SameAs(before.Pools[0].Settings));
    }

    [Test]
    public void A_name_that_stands_for_another_address_rebuilds_its_pool()
    {
        PoolSettings pool = Pool();
        pool = pool with { Backends = [pool.Backends[0], pool.Backends[1] with { Endpoint = null, Host = new HostName("b", 80) }] };
        BalancerConfig config = Config([pool, Pool() with { Name = "q" }]);
        var desired = new DesiredState(config, 5);
        RoutingSnapshot before = RoutingSnapshot.Build(desired);
        Resolutions resolved = Resolutions.None.After(
            config, new Dictionary<string, NameAnswer> { ["b"] = new([SetupScene.At("10.0.9.9:0").Address], "") });

        RoutingSnapshot after = RoutingSnapshot.Build(desired with { Names = resolved }, before);

        Assert.That(after.Pools[0], Is.Not.SameAs(before.Pools[0]));
        Assert.That(after.Pools[0].Backends[1].Endpoint, Is.EqualTo(SetupScene.At("10.0.9.9:80")));
        Assert.That(after.Pools[1], Is.SameAs(before.Pools[1]));
    }

    [Test]
    public void A_mode_that_is_set_in_the_overrides_only_is_put_in_force()
    {
        RoutingSnapshot before = RoutingSnapshot.Build(new(Config([Pool()]), 5));

        RoutingSnapshot after = RoutingSnapshot.Build(
            new(Config([Pool()]), 5) { Overrides = BackendOverrides.None.With("p", "b1", new BackendOverride(BackendMode.Maintenance, null)) }, before);

        Assert.That((before.Pools[0].StatusOf(1), after.Pools[0].StatusOf(1)), Is.EqualTo((BackendStatus.Up, BackendStatus.Maintenance)));
    }

    private static IEnumerable<TestCaseData> Changes()
    {
        yield return Case("balance", p => p with { Balance = BalanceKind.Maglev });
        yield return Case("a timeout", p => p with { IdleTimeout = TimeSpan.FromSeconds(7) });
        yield return Case("keepalive", p => p with { Keepalive = new KeepaliveSettings { Count = 9 } });
        yield return Case("passive", p => p with { Passive = new PassiveSettings { Failures = 1 } });
        yield return Case("health", p => p with { Health = Probed with { Rise = 9 } });
        yield return Case("a header", p => p with { Health = Probed with { Headers = Probed.Headers.SetItem("X-Probe", "2") } });
        yield return Case("one more source", p => p with { SourceIps = [.. p.SourceIps, SetupScene.At("10.0.0.2:0").Address] });
        yield return Case("another source", p => p with { SourceIps = [SetupScene.At("10.0.0.2:0").Address] });
        yield return Case("one backend less", p => p with { Backends = [p.Backends[0]] });
        yield return Case("the order", p => p with { Backends = [p.Backends[1], p.Backends[0]] });
        yield return Case("a weight", p => p with { Backends = [p.Backends[0], p.Backends[1] with { Weight = 7 }] });
        yield return Case("a limit", p => p with { Backends = [p.Backends[0], p.Backends[1] with { MaxConnections = 7 }] });

        static TestCaseData Case(string name, Func<PoolSettings, PoolSettings> change) => new TestCaseData(change).SetArgDisplayNames(name);
    }

    private static PoolSettings Pool() => SetupScene.PoolOf(2, "10.0.0.1") with
    {
        Health = Probed with { Headers = ImmutableSortedDictionary<string, string>.Empty.Add("X-Probe", "1") },
    };

    private static BalancerConfig Config(IEnumerable<PoolSettings> pools)
    {
        ImmutableArray<PoolSettings> all = [.. pools];
        return new()
        {
            Pools = all,
            Listeners = [new ListenerSettings { Name = "l", Bind = [SetupScene.At("127.0.0.1:80")], Pool = all[0].Name }],
        };
    }
}
