using System.Collections.Immutable;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Health;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Tests.Connections;

namespace L4Balancer.Core.Tests.Routing;

/// <summary>Whose turn it is, over snapshots: a reload, a weight or an address that changes does not begin anew.</summary>
internal sealed class TurnTests
{
    private static readonly FourTuple Tuple = new(SetupScene.At("198.51.100.1:4000"), SetupScene.At("127.0.0.1:80"));

    [Test]
    public void Round_robin_goes_on_over_reloads([Values(0ul, 1ul, 77ul)] ulong seed)
    {
        int[] picks = OverReloads(BalanceKind.RoundRobin, seed, reloads: 8);

        Assert.That(picks.CountBy(p => p).Select(p => p.Value), Is.EqualTo(new[] { 2, 2, 2, 2 }));
        Assert.That(picks.Skip(4), Is.EqualTo(picks.Take(4)), "the same turn again");
    }

    [Test]
    public void Round_robin_begins_at_a_random_place_and_keeps_the_shares([Values(100, 1)] int weight)
    {
        int[] firsts = [.. Enumerable.Range(1, 200).Select(seed => OverReloads(BalanceKind.RoundRobin, (ulong)seed, reloads: 1, weight)[0])];
        Assert.That(firsts.CountBy(f => f).Select(f => f.Value).ToArray(), Has.Length.EqualTo(4).And.All.InRange(25, 80));

        Pool pool = Build(BalanceKind.RoundRobin, seed: 9, null, [5, 1, 1, 1]).Pools[0];
        int[] picks = [.. Enumerable.Range(0, 8000).Select(_ => pool.Pick(Tuple, []))];
        Assert.That(picks.CountBy(p => p).OrderBy(p => p.Key).Select(p => p.Value), Is.EqualTo(new[] { 5000, 1000, 1000, 1000 }).Within(1));
    }

    [Test]
    public void Round_robin_is_even_at_once_after_large_weights_have_become_small()
    {
        RoutingSnapshot large = Build(BalanceKind.RoundRobin, seed: 0, null, [1000, 1000, 1000, 1000]);
        large.Pools[0].Pick(Tuple, []);
        Pool small = Build(BalanceKind.RoundRobin, seed: 0, large, [1, 1, 1, 1]).Pools[0];
        int[] picks = [.. Enumerable.Range(0, 8).Select(_ => small.Pick(Tuple, []))];

        Assert.That(picks.CountBy(p => p).Select(p => p.Value), Is.EqualTo(new[] { 2, 2, 2, 2 }));
    }

    [Test]
    public void Random_two_goes_on_to_draw_over_reloads()
    {
        int[] picks = OverReloads(BalanceKind.RandomTwo, seed: 5, reloads: 400);

        Assert.That(picks.CountBy(p => p).Select(p => p.Value).ToArray(), Has.Length.EqualTo(4).And.All.InRange(60, 140), "no backend has any load");
    }

    [Test]
    public void Least_connections_goes_on_to_break_ties_over_reloads()
    {
        int[] picks = OverReloads(BalanceKind.LeastConnections, seed: 0, reloads: 8);

        Assert.That(picks.CountBy(p => p).Select(p => p.Value), Is.EqualTo(new[] { 2, 2, 2, 2 }));
    }

    private static int[] OverReloads(BalanceKind balance, ulong seed, int reloads, int weight = 100)
    {
        RoutingSnapshot? snapshot = null;
        List<int> picks = [];
        for (int i = 0; i < reloads; i++)
        {
            snapshot = Build(balance, seed, snapshot, [weight, weight, weight, weight], closeRate: 100 + i);
            picks.Add(snapshot.Pools[0].Pick(Tuple, []));
        }

        return [.. picks];
    }

    private static RoutingSnapshot Build(BalanceKind balance, ulong seed, RoutingSnapshot? previous, int[] weights, int closeRate = 100)
    {
        PoolSettings pool = SetupScene.PoolOf(weights.Length);
        ImmutableArray<BackendSettings> backends = [.. pool.Backends.Select((b, i) => b with { Weight = weights[i] })];
        pool = pool with { Balance = balance, CloseRate = closeRate, Backends = backends, Health = new HealthSettings { Type = HealthType.None } };
        return RoutingSnapshot.Build(new(new BalancerConfig { Pools = [pool] }, 100) { Seed = seed }, previous);
    }
}
