using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Health;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Tests.Balancing;
using L4Balancer.Core.Tests.Connections;

namespace L4Balancer.Core.Tests.Routing;

/// <summary>Whom each <c>balance</c> picks, and what limits, bounds, slow start and panic make of it.</summary>
internal sealed class PoolPickTests
{
    private static readonly FourTuple[] Tuples = Samples.Tuples(10_000);

    [Test]
    public void Round_robin_is_smooth_and_weighted_as_in_nginx()
    {
        Pool pool = Build(new() { Name = "p", Balance = BalanceKind.RoundRobin }, 5, 1, 1);

        Assert.That(Picks(pool, 14), Is.EqualTo(new[] { 0, 0, 1, 0, 2, 0, 0, 0, 0, 1, 0, 2, 0, 0 }));
    }

    [Test]
    public void Least_connections_fills_by_weight_whatever_comes_first()
    {
        Pool pool = Build(new() { Name = "p", Balance = BalanceKind.LeastConnections }, 100, 200, 100);
        Fill(pool, 400);

        Assert.That(Held(pool), Is.EqualTo(new[] { 100, 200, 100 }));
    }

    [Test]
    public void Least_connections_counts_connects_under_way()
    {
        Pool pool = Build(new() { Name = "p", Balance = BalanceKind.LeastConnections }, 100, 100);
        pool.Backends[0].State.CountPicked();

        Assert.That(Picks(pool, 10), Is.All.EqualTo(1));
    }

    [Test]
    public void Random_two_stays_close_to_the_shares()
    {
        Pool pool = Build(new() { Name = "p", Balance = BalanceKind.RandomTwo }, [.. Enumerable.Repeat(100, 20)]);
        Fill(pool, 10_000);

        // Two choices leave a gap of log log n; one choice would leave one of 70 here.
        Assert.That(Held(pool), Is.All.InRange(490, 510));
    }

    [TestCase(BalanceKind.Ring)]
    [TestCase(BalanceKind.Maglev)]
    public void Bounded_load_keeps_everyone_below_the_bound(BalanceKind balance)
    {
        // By source address alone, from few addresses: without the bound some backends would hold twice their share.
        PoolSettings settings = new() { Name = "p", Balance = balance, BoundedLoad = 1.25, HashKey = TupleFields.SourceIp };
        Pool pool = Build(settings, [.. Enumerable.Repeat(100, 10)]);
        FourTuple[] few = [.. Enumerable.Range(0, 1000).Select(i => Tuples[i % 20])];
        foreach (FourTuple tuple in few)
        {
            pool.Backends[pool.Pick(tuple, [])].State.CountEstablished();
        }

        Assert.That(Held(pool), Is.All.LessThanOrEqualTo(125));
        Assert.That(Held(pool).Max(), Is.EqualTo(125), "the bound was needed");
    }

    [TestCase(BalanceKind.Ring)]
    [TestCase(BalanceKind.Maglev)]
    public void The_owner_of_a_tuple_is_the_pick_of_a_pool_in_which_all_is_well(BalanceKind balance)
    {
        PoolSettings settings = new() { Name = "p", Balance = balance };
        Pool well = Build(settings, 100, 50, 100, 200);
        Pool ill = Build(settings, 100, 50, 100, 200);
        ill.SetHealth(new Dictionary<int, HealthState> { [0] = HealthState.Down, [1] = HealthState.Degraded });
        ill.SetMode(3, BackendMode.Maintenance);

        foreach (FourTuple tuple in Tuples)
        {
            Assert.That(ill.OwnerOf(tuple), Is.EqualTo(well.Pick(tuple, [])));
        }

        Assert.That(Tuples.Select(t => ill.Pick(t, [])), Is.All.EqualTo(2));
        Assert.That(Build(settings, 0, 0).OwnerOf(Tuples[0]), Is.EqualTo(Pool.None));
    }

    [Test]
    public void A_full_backend_is_passed_over_and_all_full_is_nobody_though_somebody_lives()
    {
        PoolSettings settings = Settings(new() { Name = "p" }, 100, 100);
        Pool pool = Build(settings with { Backends = [.. settings.Backends.Select(b => b with { MaxConnections = 3 })] });
        Fill(pool, 6);

        Assert.That(Held(pool), Is.EqualTo(new[] { 3, 3 }));
        Assert.That((pool.Pick(Tuples[0], []), pool.HasAvailable), Is.EqualTo((Pool.None, true)));
    }

    [Test]
    public void Slow_start_lets_in_a_share_and_the_others_stay_where_they_were()
    {
        Pool pool = Build(new() { Name = "p", SlowStart = TimeSpan.FromSeconds(10) }, 100, 100, 100, 100);
        int[] before = Picks(pool);
        pool.SetRamp(2, 0.25);
        int[] during = Picks(pool);
        pool.SetRamp(2, 1);

        Assert.That(during.Count(p => p == 2), Is.EqualTo(before.Count(p => p == 2) / 4).Within(10).Percent);
        Assert.That(Enumerable.Range(0, before.Length).Where(i => before[i] != 2 && before[i] != during[i]), Is.Empty);
        Assert.That(Picks(pool), Is.EqualTo(before));
    }

    [Test]
    public void A_wish_is_not_worth_a_refusal()
    {
        Pool pool = Build(new() { Name = "p", SlowStart = TimeSpan.FromSeconds(10) }, 100);
        pool.SetRamp(0, 0);

        Assert.That(pool.Pick(Tuples[0], []), Is.Zero, "it is the only one");
    }

    [TestCase(2, ExpectedResult = false)]
    [TestCase(3, ExpectedResult = true)]
    public bool Below_the_panic_threshold_health_is_ignored(int down)
    {
        Pool pool = Build(new() { Name = "p", PanicThreshold = 0.5 }, 100, 100, 100, 100);
        pool.SetHealth(Enumerable.Range(0, down).ToDictionary(i => i, _ => HealthState.Down));

        return Picks(pool).Contains(0);
    }

    private static int[] Picks(Pool pool, int count = 10_000) => [.. Tuples.Take(count).Select(t => pool.Pick(t, []))];

    private static int[] Held(Pool pool) => [.. pool.Backends.Select(b => b.State.Active)];

    private static void Fill(Pool pool, int count)
    {
        for (int i = 0; i < count; i++)
        {
            pool.Backends[pool.Pick(Tuples[i % Tuples.Length], [])].State.CountEstablished();
        }
    }

    private static Pool Build(PoolSettings settings, params int[] weights) => Build(Settings(settings, weights));

    private static Pool Build(PoolSettings settings) => RoutingSnapshot.Build(new(new BalancerConfig { Pools = [settings] }, 5)).Pools[0];

    private static PoolSettings Settings(PoolSettings settings, params int[] weights) => settings with
    {
        Backends = [.. SetupScene.PoolOf(weights.Length).Backends.Select((b, i) => b with { Weight = weights[i] })],
    };
}
