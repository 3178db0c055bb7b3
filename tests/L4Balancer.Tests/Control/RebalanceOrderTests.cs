using L4Balancer.Control;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Routing;
using L4Balancer.Engine;
using Microsoft.Extensions.Logging.Abstractions;

namespace L4Balancer.Tests.Control;

/// <summary>Whom a rebalance lets go first.</summary>
[Category(DaemonProcess.Category)]
internal sealed class RebalanceOrderTests
{
    [TestCase(TupleFields.SourceIp, true)]
    [TestCase(TupleFields.All, false)]
    public async Task Those_whose_place_has_changed_go_first_where_they_come_back_by_the_same_key(TupleFields key, bool ranks)
    {
        RoutingSnapshot alone = RoutingSnapshot.Build(new(Config(1, key), MaxConnections: 1000));
        ConnectionRecord[] records = [.. Enumerable.Range(1, 60).Select(i => Connections.Established(alone, Tuple(i)))];
        RoutingSnapshot now = RoutingSnapshot.Build(new(Config(3, key), MaxConnections: 1000), alone);
        Pool pool = now.Pools[0];
        bool[] stay = [.. records.Select(r => pool.Backends[pool.Pick(r.Tuple, [])].State == r.Backend!)];

        var engine = new StillEngine();
        await using var closes = new PacedCloses(engine, now, TimeProvider.System, NullLogger.Instance);
        closes.Rebalance(pool, tolerance: 0, perSecond: null);
        ShedOrder order = await engine.Ordered.WaitAsync(DaemonProcess.Deadline);

        Assert.That(stay, Has.Some.True.And.Some.False);
        Assert.That(records.Select(r => order.Rank!(r)), Is.EqualTo(stay.Select(s => s || !ranks ? 1 : 0)));
        Assert.That(order.Quotas![pool.Backends[0].State], Is.EqualTo(40));
    }

    private static BalancerConfig Config(int backends, TupleFields key)
    {
        BalancerConfig config = Connections.Config(backends);
        return config with { Pools = [config.Pools[0] with { HashKey = key }] };
    }

    private static FourTuple Tuple(int client) => new(
        new Endpoint(HostAddress.FromV4(0xCB00_7100u + (uint)client), (ushort)(50_000 + client)),
        new Endpoint(HostAddress.FromV4(0xC633_6401u), 443));
}
