using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Health;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Tests.Connections;

namespace L4Balancer.Core.Tests.Routing;

/// <summary>What operators set at run time, and what a reload makes of it.</summary>
internal sealed class BackendOverridesTests
{
    private static readonly FourTuple Tuple = new(SetupScene.At("192.0.2.1:5000"), SetupScene.At("192.0.2.9:443"));

    [TestCase(BackendMode.Draining, ExpectedResult = BackendStatus.Draining)]
    [TestCase(BackendMode.Maintenance, ExpectedResult = BackendStatus.Maintenance)]
    public BackendStatus A_mode_takes_a_backend_out_of_the_picks_and_ready_brings_it_back(BackendMode mode)
    {
        Pool pool = RoutingSnapshot.Build(new(Config(), 5)).Pools[0];
        int first = pool.Pick(Tuple, []);

        pool.SetMode(first, mode);
        BackendStatus state = pool.StatusOf(first);
        Assert.That(pool.Pick(Tuple, []), Is.Not.EqualTo(first));
        pool.SetMode(first, BackendMode.Ready);
        Assert.That(pool.Pick(Tuple, []), Is.EqualTo(first));
        return state;
    }

    [Test]
    public void What_is_down_stays_out_when_an_operator_calls_it_ready()
    {
        Pool pool = RoutingSnapshot.Build(new(Config(), 5)).Pools[0];
        int first = pool.Pick(Tuple, []);
        pool.SetMode(first, BackendMode.Draining);
        pool.SetHealth(new Dictionary<int, HealthState> { [first] = HealthState.Down });
        pool.SetMode(first, BackendMode.Ready);

        Assert.That(pool.StatusOf(first), Is.EqualTo(BackendStatus.Down));
        Assert.That(pool.Pick(Tuple, []), Is.Not.EqualTo(first));
    }

    [Test]
    public void Weight_and_mode_are_in_force_in_the_next_snapshot_of_the_same_generation()
    {
        var desired = new DesiredState(Config(), 5);
        RoutingSnapshot snapshot = RoutingSnapshot.Build(desired);
        BackendOverrides set = BackendOverrides.None
            .With("p", "b0", new BackendOverride(BackendMode.Ready, 0)).With("p", "b1", new BackendOverride(BackendMode.Draining, null));
        RoutingSnapshot after = RoutingSnapshot.Build(desired with { Overrides = set }, snapshot);

        using (Assert.EnterMultipleScope())
        {
            Assert.That(after.Generation, Is.EqualTo(snapshot.Generation));
            Assert.That(after.Pools[0].Backends[0].Weight, Is.Zero);
            Assert.That(after.Pools[0].StatusOf(1), Is.EqualTo(BackendStatus.Draining));
            Assert.That(after.Pools[0].Pick(Tuple, []), Is.EqualTo(2));
        }
    }

    [Test]
    public void A_reload_keeps_what_its_file_does_not_change()
    {
        BackendOverrides set = BackendOverrides.None
            .With("p", "b0", new BackendOverride(BackendMode.Draining, 5)).With("p", "b1", new BackendOverride(BackendMode.Maintenance, 6))
            .With("p", "b2", new BackendOverride(BackendMode.Draining, null));

        BackendOverrides left = set.After(Config(), Config(backends: 2, weightOfFirst: 7));

        using (Assert.EnterMultipleScope())
        {
            Assert.That(left["p", "b0"], Is.EqualTo(new BackendOverride(BackendMode.Draining, null)), "its weight was changed");
            Assert.That(left["p", "b1"], Is.EqualTo(new BackendOverride(BackendMode.Maintenance, 6)));
            Assert.That(left["p", "b2"], Is.EqualTo(default(BackendOverride)), "it has left");
        }
    }

    private static BalancerConfig Config(int backends = 3, int weightOfFirst = 100)
    {
        PoolSettings pool = SetupScene.PoolOf(backends);
        return new() { Pools = [pool with { Backends = pool.Backends.SetItem(0, pool.Backends[0] with { Weight = weightOfFirst }) }] };
    }
}
