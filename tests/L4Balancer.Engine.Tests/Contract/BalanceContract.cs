using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Routing;
using L4Balancer.Engine.Tests.Peers;

namespace L4Balancer.Engine.Tests.Contract;

/// <summary>Each kind of <c>balance</c> as an engine's connections see it; who is picked exactly is held by the tests of the kinds themselves.</summary>
internal abstract class BalanceContract(Func<EngineOptions, IEngine> create) : EngineContract(create)
{
    [Test]
    public async Task Round_robin_goes_around_by_weight()
    {
        Rig rig = Start(Weighted(Echoing(3), 200, 100, 100) with { Balance = BalanceKind.RoundRobin });
        for (int round = 1; round <= 3; round++)
        {
            await OpenManyAsync(rig, 4);
            Assert.That(Held(rig), Is.EqualTo(new[] { 2 * round, round, round }));
        }
    }

    [Test]
    public async Task Least_connections_goes_where_one_has_left()
    {
        Rig rig = Start(Weighted(Echoing(3), 100, 200, 100) with { Balance = BalanceKind.LeastConnections });
        List<Peer> clients = await OpenManyAsync(rig, 8);
        Assert.That(Held(rig), Is.EqualTo(new[] { 2, 4, 2 }));

        await LeaveAsync(rig, clients, from: 1, count: 3);
        await OpenManyAsync(rig, 3);
        Assert.That(Held(rig), Is.EqualTo(new[] { 2, 4, 2 }));
    }

    [Test]
    public async Task Random_two_takes_the_emptier_one_of_two()
    {
        Rig rig = Start(Weighted(Echoing(2), 100, 100) with { Balance = BalanceKind.RandomTwo });
        List<Peer> clients = await OpenManyAsync(rig, 10);
        Assert.That(Held(rig), Is.EqualTo(new[] { 5, 5 }));

        await LeaveAsync(rig, clients, from: 1, count: 4);
        await OpenManyAsync(rig, 4);
        Assert.That(Held(rig), Is.EqualTo(new[] { 5, 5 }));
    }

    [TestCase(BalanceKind.Ring, BalanceKind.Maglev)]
    [TestCase(BalanceKind.Maglev, BalanceKind.Ring)]
    public async Task A_hashed_connection_goes_where_its_tuple_leads(BalanceKind balance, BalanceKind other)
    {
        PoolSettings settings = Weighted(Echoing(4), 100, 100, 200, 50) with { Balance = balance };
        Rig rig = Start(settings);
        List<Peer> clients = await OpenManyAsync(rig, 30);
        FourTuple[] tuples = [.. clients.Select(c => new FourTuple(c.Local, rig.Address))];
        Dictionary<Endpoint, int> went = rig.List().ToDictionary(r => r.Tuple.Source, r => rig.IndexOf(r.Backend!));

        Assert.That(tuples.Select(t => went[t.Source]), Is.EqualTo(Picks(settings, tuples)));
        Assert.That(Picks(settings with { Balance = other }, tuples), Is.Not.EqualTo(Picks(settings, tuples)), "a ring is no table");
    }

    [Test]
    public async Task A_client_that_is_known_goes_where_it_went_though_a_backend_joins_and_one_leaves()
    {
        PoolSettings pool = Weighted(Echoing(4), 100, 100, 100, 100) with
        {
            Balance = BalanceKind.RoundRobin,
            HashKey = TupleFields.SourceIp,
            Sticky = new StickySettings { Ttl = TimeSpan.FromMinutes(5) },
        };
        Rig rig = Start(pool with { Backends = pool.Backends[..3] });
        await OpenManyAsync(rig, 4);
        int home = Array.IndexOf(Held(rig), 4);
        Assert.That(home, Is.Not.Negative, string.Join(' ', Held(rig)));

        rig.Publish(Settings.Config(pool with { Backends = [.. pool.Backends.Reverse()] }, Settings.Listener("127.0.0.1:0")));
        await OpenManyAsync(rig, 4);
        Assert.That(Held(rig)[3 - home], Is.EqualTo(8));

        rig.Publish(Settings.Config(pool with { Backends = pool.Backends.RemoveAt(home) }, Settings.Listener("127.0.0.1:0")));
        await OpenManyAsync(rig, 4);
        Assert.That(Held(rig).Order(), Is.EqualTo(new[] { 0, 0, 4 }), "its backend is gone: another one has it");
    }

    [TestCase(BalanceKind.Ring)]
    [TestCase(BalanceKind.Maglev)]
    public async Task Bounded_load_sends_on_who_finds_his_backend_full(BalanceKind balance)
    {
        Rig rig = Start(Weighted(Echoing(2), 100, 100) with { Balance = balance, HashKey = TupleFields.SourceIp, BoundedLoad = 1.25 });
        await OpenManyAsync(rig, 10);

        // All have one home, which holds at most 1.25 times its half of ten, rounded up.
        Assert.That(Held(rig).Order(), Is.EqualTo(new[] { 3, 7 }));
    }

    [Test]
    public async Task Connects_under_way_count_against_bounded_load()
    {
        TestBackend[] silent = [Keep(await TestBackend.SilentAsync()), Keep(await TestBackend.SilentAsync())];
        Rig rig = Start(Settings.Pool(silent) with
        {
            HashKey = TupleFields.SourceIp,
            BoundedLoad = 1.25,
            ConnectTimeout = TimeSpan.FromSeconds(30),
        });
        for (int i = 1; i <= 6; i++)
        {
            await ConnectAsync(rig);
            await Patience.Until(() => rig.Pool.State.Load == i, "it is under way");
        }

        // At most 1.25 times the half of six, rounded up.
        Assert.That(rig.Pool.Backends.Select(b => b.State.Load).Order(), Is.EqualTo(new[] { 2, 4 }));
    }

    private static int[] Held(Rig rig) => [.. rig.Pool.Backends.Select(b => b.State.Active)];

    private static int[] Picks(PoolSettings settings, FourTuple[] tuples)
    {
        Pool pool = RoutingSnapshot.Build(new(new BalancerConfig { Pools = [settings] }, MaxConnections: 100)).Pools[0];
        return [.. tuples.Select(t => pool.Pick(t, []))];
    }

    private static PoolSettings Weighted(PoolSettings pool, params int[] weights) =>
        pool with { Backends = [.. pool.Backends.Select((b, i) => b with { Weight = weights[i] })] };

    private static async Task LeaveAsync(Rig rig, List<Peer> clients, int from, int count)
    {
        int before = Held(rig)[from];
        HashSet<Endpoint> there = [.. rig.List().Where(r => r.Backend == rig.Backend(from)).Select(r => r.Tuple.Source)];
        clients.Where(c => there.Contains(c.Local)).Take(count).ToList().ForEach(c => c.Reset());
        await Patience.Until(() => Held(rig)[from] == before - count, "they have left");
    }

    private PoolSettings Echoing(int count)
    {
        TestBackend[] backends = [.. Enumerable.Range(0, count).Select(_ => Backend())];
        Array.ForEach(backends, b => b.ServeEcho());
        return Settings.Pool(backends);
    }

    /// <summary>One after the other, each established before the next comes.</summary>
    private async Task<List<Peer>> OpenManyAsync(Rig rig, int count)
    {
        List<Peer> clients = [];
        for (int i = 0; i < count; i++)
        {
            Peer client = await ConnectAsync(rig);
            await Patience.Until(() => rig.Records.IsEstablished(client.Local), "it is established");
            clients.Add(client);
        }

        return clients;
    }
}
