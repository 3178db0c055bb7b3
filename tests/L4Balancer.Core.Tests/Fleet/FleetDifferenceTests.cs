using L4Balancer.Core.Config;
using L4Balancer.Core.Fleet;
using L4Balancer.Core.Health;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Tests.Connections;

namespace L4Balancer.Core.Tests.Fleet;

/// <summary>What balancers differ in, and the hash that shows whether they choose the same.</summary>
internal sealed class FleetDifferenceTests
{
    [Test]
    public void Equal_balancers_differ_in_nothing() => Assert.That(FleetDifference.Between([Member("a"), Member("b"), Member("c")]), Is.Empty);

    [Test]
    public void Each_kind_is_told_apart_with_what_everyone_says()
    {
        FleetMember[] members =
        [
            Member("a"),
            Member("b") with { Version = "2", Configuration = "other" },
            Member("c") with { Rings = FleetMember.NoRings.Add("p", "other"), Health = Health(HealthState.Down) },
        ];

        Assert.That(
            FleetDifference.Between(members).Select(d => $"{d.Kind} {d.What}: {string.Join(" ", d.Values.Select(v => $"{v.Key}={v.Value}"))}"),
            Is.EqualTo(new[]
            {
                "Version : a=1 b=2 c=1", "Configuration : a=same b=other c=same", "Ring p: a=ring b=ring c=other", "Health p/b0: a=up b=up c=down",
            }));
    }

    [Test]
    public void A_balancer_that_lacks_a_pool_or_has_not_probed_says_nothing_about_it() => Assert.That(
        FleetDifference.Between([Member("a"), Member("b") with { Rings = FleetMember.NoRings, Health = FleetMember.NoHealth }]), Is.Empty);

    [Test]
    public void Degraded_and_down_are_the_same_to_clients() => Assert.That(
        FleetDifference.Between([Member("a") with { Health = Health(HealthState.Degraded) }, Member("b") with { Health = Health(HealthState.Down) }]),
        Is.Empty);

    [TestCase(BalanceKind.Ring)]
    [TestCase(BalanceKind.Maglev)]
    [TestCase(BalanceKind.LeastConnections)]
    public void The_hash_of_a_pool_does_not_depend_on_the_order_of_its_backends_and_does_on_all_that_decides(BalanceKind balance)
    {
        PoolSettings pool = SetupScene.PoolOf(5) with { Balance = balance };
        ulong hash = HashOf(pool);

        Assert.That(HashOf(pool with { Backends = [.. pool.Backends.Reverse()] }), Is.EqualTo(hash));
        Assert.That(HashOf(pool with { ConnectTimeout = TimeSpan.FromSeconds(9) }), Is.EqualTo(hash));
        PoolSettings[] others =
        [
            pool with { Backends = pool.Backends.RemoveAt(4) },
            pool with { Backends = pool.Backends.SetItem(0, pool.Backends[0] with { Weight = 50 }) },
            pool with { Backends = pool.Backends.SetItem(0, pool.Backends[0] with { Backup = true }) },
            pool with { Backends = pool.Backends.SetItem(0, pool.Backends[0] with { Address = "10.0.1.99:80" }) },
            pool with { Balance = BalanceKind.RoundRobin },
        ];
        Assert.That(others.Select(HashOf).Append(hash), Is.Unique);
    }

    [Test]
    public void A_weight_set_at_run_time_is_in_the_hash_and_a_drain_is_not()
    {
        PoolSettings pool = SetupScene.PoolOf(3);
        ulong hash = HashOf(pool);

        Assert.That(HashOf(pool, new BackendOverride(BackendMode.Draining, null)), Is.EqualTo(hash));
        Assert.That(HashOf(pool, new BackendOverride(BackendMode.Ready, 50)), Is.Not.EqualTo(hash));
    }

    private static ulong HashOf(PoolSettings pool) => HashOf(pool, default);

    private static ulong HashOf(PoolSettings pool, BackendOverride set) =>
        RoutingSnapshot.Build(new DesiredState(new BalancerConfig { Pools = [pool] }, 100).WithOverride("p", "b0", set)).Pools[0].HashOfTables();

    private static FleetMember Member(string id) => new(id, id)
    {
        Version = "1",
        Configuration = "same",
        Rings = FleetMember.NoRings.Add("p", "ring"),
        Health = Health(HealthState.Up),
    };

    private static System.Collections.Immutable.ImmutableSortedDictionary<string, System.Collections.Immutable.ImmutableSortedDictionary<string, HealthState>>
        Health(HealthState state) => FleetMember.NoHealth.Add("p", FleetMember.NoBackends.Add("b0", state));
}
