using L4Balancer.Core.Addressing;
using L4Balancer.Core.Balancing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Routing;

namespace L4Balancer.Core.Tests.Balancing;

/// <summary>Several backends of one address: the vectors of docs/hashing.md, and what moves when one of them comes or goes.</summary>
internal sealed class PlacementTests
{
    private const string Twice = "10.0.1.21:8443";
    private const string Other = "10.0.1.22:8443";

    [Test]
    public void Only_the_second_and_later_ones_by_name_are_placed_by_name_too() =>
        Assert.That(
            Placement.Of([("ws3", Twice), ("ws10", Other), ("ws2", Twice), ("WS9", Twice), ("ws4", "[::1]:1")]),
            Is.EqualTo(new[] { $"{Twice} ws3", Other, $"{Twice} ws2", Twice, "[::1]:1" }));

    [TestCase(Twice, 0, 0x0CA96663C4B3173CUL)]
    [TestCase(Twice + " ws2", 0, 0xEC28EC41CB824344UL)]
    [TestCase(Twice + " ws2", 1, 0x9B30643B6BBCDFD5UL)]
    [TestCase(Twice + " ws2", 1023, 0x8D4EFDE4818128DBUL)]
    [TestCase(Twice + " ws3", 0, 0x0AEC9CF668F22653UL)]
    public void Points_agree_with_the_published_vectors(string placement, int point, ulong expected)
    {
        RingMember[] members = [new(0, placement, 100), new(1, "192.0.2.1:1", 100)];

        Assert.That(Ring.Build(members).OwnerOf(expected), Is.Zero, $"point {point}");
    }

    // Source 192.0.2.x:50000+x-1 to 198.51.100.1:443; ws1 and ws2 have the same address, ws3 another.
    [Test]
    public void Picks_agree_with_the_published_vectors()
    {
        Pool pool = PoolOf(("ws3", Other), ("ws2", Twice), ("ws1", Twice));

        Assert.That(Picks(pool, 8), Is.EqualTo(new[] { "ws1", "ws2", "ws1", "ws3", "ws2", "ws2", "ws2", "ws2" }));
    }

    [TestCase(BalanceKind.Ring)]
    [TestCase(BalanceKind.Maglev)]
    public void A_second_name_takes_its_share_from_all_and_moves_nobody_else(BalanceKind balance)
    {
        string[] before = Picks(PoolOf(balance, ("ws1", Twice), ("ws3", Other)), 4000);
        string[] after = Picks(PoolOf(balance, ("ws1", Twice), ("ws2", Twice), ("ws3", Other)), 4000);
        int[] moved = [.. Enumerable.Range(0, before.Length).Where(i => before[i] != after[i])];

        Assert.That(after.Count(n => n == "ws2"), Is.InRange(1100, 1600), "a third");
        if (balance == BalanceKind.Ring)
        {
            Assert.That(moved.Select(i => after[i]), Is.All.EqualTo("ws2"));
        }
    }

    private static Pool PoolOf(params (string Name, string Address)[] backends) => PoolOf(BalanceKind.Ring, backends);

    private static Pool PoolOf(BalanceKind balance, params (string Name, string Address)[] backends)
    {
        PoolSettings settings = new()
        {
            Name = "p",
            Balance = balance,
            Backends = [.. backends.Select(b => new BackendSettings { Name = b.Name, Address = b.Address, Endpoint = Samples.Endpoint(b.Address) })],
        };
        return RoutingSnapshot.Build(new(new BalancerConfig { Pools = [settings] }, MaxConnections: 100)).Pools[0];
    }

    private static string[] Picks(Pool pool, int clients) =>
    [
        .. Enumerable.Range(1, clients).Select(x => new FourTuple(
            new Endpoint(HostAddress.FromV4(0xC000_0200 + (uint)x), (ushort)(50_000 + x - 1)), Samples.Endpoint("198.51.100.1:443")))
            .Select(t => pool.Backends[pool.Pick(t, [])].Name),
    ];
}
