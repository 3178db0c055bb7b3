using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Health;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Tests.Balancing;
using L4Balancer.Core.Tests.Connections;

namespace L4Balancer.Core.Tests.Routing;

/// <summary>What a rebalance closes, and where new connections go meanwhile.</summary>
internal sealed class RebalanceTests
{
    private const double Tolerance = 0.01;
    private static readonly FourTuple[] Tuples = Samples.Tuples(10_000);

    [Test]
    public void After_a_scale_out_the_old_backends_shed_what_the_new_one_lacks()
    {
        Pool pool = Holding([100, 100, 100, 100], 2000, 2000, 2000, 0);
        var plan = RebalancePlan.For(pool, Tolerance);

        Assert.That(Of(plan.Surplus, pool), Is.EqualTo(new[] { 485, 485, 485, 0 }));
        Assert.That(Of(plan.Targets, pool), Is.All.EqualTo(1500));
        Assert.That((plan.Connections, plan.TotalSurplus, plan.TotalDeficit), Is.EqualTo((6000, 1455, 1500)));
    }

    [Test]
    public void Shares_go_by_weight()
    {
        Pool pool = Holding([300, 100], 100, 300);

        Assert.That(Of(RebalancePlan.For(pool, 0).Surplus, pool), Is.EqualTo(new[] { 0, 200 }));
    }

    [TestCase(BackendMode.Draining)]
    [TestCase(BackendMode.Maintenance)]
    public void Who_takes_no_connections_has_no_share_and_what_it_holds_is_nobody_s(BackendMode mode)
    {
        Pool pool = Holding([100, 100, 100], 500, 600, 400);
        pool.SetMode(0, mode);
        var plan = RebalancePlan.For(pool, 0);

        Assert.That(Of(plan.Surplus, pool), Is.EqualTo(new[] { 0, 100, 0 }));
        Assert.That(plan.Targets.ContainsKey(pool.Backends[0].State), Is.False);
    }

    [Test]
    public void Within_the_tolerance_nothing_moves() =>
        Assert.That(RebalancePlan.For(Holding([100, 100], 105, 95), 0.05).TotalSurplus, Is.Zero);

    [Test]
    public void Who_is_on_the_way_back_does_not_make_the_shares_smaller()
    {
        Pool pool = Holding([100, 100, 100, 100], 1515, 1515, 1515, 0);

        Assert.That(RebalancePlan.For(pool, Tolerance).TotalSurplus, Is.GreaterThan(1000), "or it would never end");
        Assert.That(RebalancePlan.For(pool, Tolerance, atLeast: 6000).TotalSurplus, Is.Zero);
    }

    [Test]
    public void What_is_on_its_way_out_is_not_counted()
    {
        Pool pool = Holding([100, 100], 150, 50);
        for (int i = 0; i < 50; i++)
        {
            pool.Backends[0].State.Shed.Count(CloseReason.Rebalance);
        }

        Assert.That(RebalancePlan.For(pool, 0, atLeast: 200).TotalSurplus, Is.Zero);
        pool.Backends[0].State.CountClosed(CloseReason.Rebalance);
        Assert.That(pool.Backends[0].State.Staying, Is.EqualTo(100), "each is counted once");
    }

    [Test]
    public void A_bound_cuts_every_surplus_in_proportion()
    {
        Pool pool = Holding([100, 100, 100], 400, 200, 0);
        var plan = RebalancePlan.For(pool, 0);

        Assert.That(Of(plan.AtMost(100), pool), Is.EqualTo(new[] { 100, 0, 0 }));
        Assert.That(plan.AtMost(0).Values.Sum(), Is.Zero);
        Assert.That(plan.AtMost(1000), Is.SameAs(plan.Surplus));
    }

    [Test]
    public void Meanwhile_only_those_that_hold_too_few_are_picked([Values] BalanceKind balance)
    {
        Pool pool = Holding([100, 100, 100, 100], balance, 1515, 1515, 1515, 0);
        pool.State.Targets = RebalancePlan.For(pool, Tolerance, atLeast: 6000).Targets;
        for (int i = 0; i < 1455; i++)
        {
            int picked = pool.Pick(Tuples[i], []);
            Assert.That(picked, Is.EqualTo(3));
            pool.Backends[picked].State.CountEstablished();
        }

        pool.State.Targets = null;
        Assert.That(Enumerable.Range(0, 100).Select(i => pool.Pick(Tuples[i], [])).Distinct().Count(), balance == BalanceKind.LeastConnections ? Is.EqualTo(1) : Is.GreaterThan(1));
    }

    [Test]
    public void Where_nobody_holds_too_few_everybody_is_picked_as_ever()
    {
        Pool pool = Holding([100, 100], 100, 100);
        int[] before = [.. Tuples.Select(t => pool.Pick(t, []))];
        pool.State.Targets = RebalancePlan.For(pool, 0).Targets;

        Assert.That(Tuples.Select(t => pool.Pick(t, [])), Is.EqualTo(before));
    }

    [Test]
    public void A_connection_has_moved_where_its_key_leads_elsewhere_now()
    {
        Pool pool = Holding([100, 100, 100], BalanceKind.Ring, [0, 0, 0], TupleFields.SourceIp);
        int home = pool.Pick(Tuples[0], []);

        Assert.That(pool.HasMoved(Tuples[0], pool.Backends[home].State), Is.False);
        Assert.That(pool.HasMoved(Tuples[0], pool.Backends[(home + 1) % 3].State), Is.True);
        Pool byPort = Holding([100, 100, 100], 0, 0, 0);
        Assert.That(byPort.Backends.Any(b => byPort.HasMoved(Tuples[0], b.State)), Is.False, "its next connection has another port");
    }

    [Test]
    public void After_a_failover_the_connections_of_the_backups_return_to_the_primaries([Values] BalanceKind balance)
    {
        Pool pool = Holding([100, 300, 100, 100], balance, [0, 0, 50, 30], TupleFields.All, backups: 2);
        var plan = RebalancePlan.For(pool, Tolerance);

        Assert.That(Of(plan.Surplus, pool), Is.EqualTo(new[] { 0, 0, 50, 30 }));
        Assert.That(Of(plan.Targets, pool), Is.EqualTo(new[] { 20, 60, 0, 0 }));
        Assert.That((plan.Connections, plan.TotalSurplus, plan.TotalDeficit), Is.EqualTo((80, 80, 80)));

        pool.State.Targets = plan.Targets;
        int[] picked = new int[4];
        for (int i = 0; i < 80; i++)
        {
            int backend = pool.Pick(Tuples[i], []);
            picked[backend]++;
            pool.Backends[backend].State.CountEstablished();
        }

        Assert.That(picked, Is.EqualTo(new[] { 20, 60, 0, 0 }));
    }

    [TestCase(BackendMode.Draining)]
    [TestCase(BackendMode.Maintenance)]
    public void A_backup_that_an_operator_has_taken_out_keeps_what_it_holds(BackendMode mode)
    {
        Pool pool = Holding([100, 100, 100], BalanceKind.Ring, [10, 30, 60], TupleFields.All, backups: 1);
        pool.SetMode(2, mode);
        var plan = RebalancePlan.For(pool, 0);

        Assert.That(Of(plan.Surplus, pool), Is.EqualTo(new[] { 0, 10, 0 }));
        Assert.That(plan.Connections, Is.EqualTo(40));
    }

    [Test]
    public void A_backup_that_is_down_keeps_what_it_holds()
    {
        Pool pool = Holding([100, 100], BalanceKind.Ring, [10, 60], TupleFields.All, backups: 1);
        pool.SetHealth(new Dictionary<int, HealthState> { [1] = HealthState.Down });

        Assert.That(RebalancePlan.For(pool, 0).TotalSurplus, Is.Zero);
    }

    [Test]
    public void While_backups_serve_they_share_among_themselves()
    {
        Pool pool = Holding([100, 100, 100], BalanceKind.Ring, [40, 10, 30], TupleFields.All, backups: 2);
        pool.SetMode(0, BackendMode.Maintenance);

        Assert.That(Of(RebalancePlan.For(pool, 0).Surplus, pool), Is.EqualTo(new[] { 0, 0, 10 }));
    }

    [Test]
    public void No_more_return_than_the_primaries_have_room_for()
    {
        Pool pool = Holding([100, 100, 100], BalanceKind.Ring, [5, 8, 50], TupleFields.All, backups: 1, maxConnections: 10);
        var plan = RebalancePlan.For(pool, 0);

        Assert.That(Of(plan.Surplus, pool)[2], Is.EqualTo(7));
        Assert.That(plan.Connections, Is.EqualTo(20));
    }

    private static int[] Of(IReadOnlyDictionary<BackendState, int> counts, Pool pool) =>
        [.. pool.Backends.Select(b => counts.GetValueOrDefault(b.State))];

    private static Pool Holding(int[] weights, params int[] connections) => Holding(weights, BalanceKind.Ring, connections);

    private static Pool Holding(int[] weights, BalanceKind balance, params int[] connections) =>
        Holding(weights, balance, connections, TupleFields.All);

    /// <param name="backups">How many of the last are backups.</param>
    /// <param name="maxConnections">Of the primaries.</param>
    private static Pool Holding(
        int[] weights, BalanceKind balance, int[] connections, TupleFields key, int backups = 0, int maxConnections = 0)
    {
        PoolSettings settings = SetupScene.PoolOf(weights.Length) with { Balance = balance, HashKey = key };
        settings = settings with { Backends = [.. settings.Backends.Select(Of)] };
        Pool pool = RoutingSnapshot.Build(new(new BalancerConfig { Pools = [settings] }, 5)).Pools[0];
        foreach ((int index, int count) in connections.Index())
        {
            for (int i = 0; i < count; i++)
            {
                pool.Backends[index].State.CountEstablished();
            }
        }

        return pool;

        BackendSettings Of(BackendSettings backend, int index)
        {
            bool backup = index >= weights.Length - backups;
            return backend with { Weight = weights[index], Backup = backup, MaxConnections = backup ? 0 : maxConnections };
        }
    }
}
