using L4Balancer.Control;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Routing;
using L4Balancer.Engine;
using Microsoft.Extensions.Logging.Abstractions;

namespace L4Balancer.Tests.Control;

/// <summary>What a rebalance reports of itself, round by round.</summary>
[Category(DaemonProcess.Category)]
internal sealed class RebalanceProgressTests
{
    [Test]
    public async Task What_is_planned_grows_with_each_round_so_that_no_more_is_closed_than_planned()
    {
        RoutingSnapshot now = RoutingSnapshot.Build(new(Connections.Config(backends: 3), MaxConnections: 1000));
        Pool pool = now.Pools[0];
        BackendState full = pool.Backends[0].State;
        BackendState second = pool.Backends[1].State;
        Add(full, 20);
        Add(second, 10);

        var engine = new SheddingEngine();
        await using var closes = new PacedCloses(engine, now, TimeProvider.System, NullLogger.Instance);
        closes.Rebalance(pool, tolerance: 0, perSecond: null);
        Assert.That(closes.RebalanceOf(pool.State)!.Planned, Is.EqualTo(10));

        // Eight of ten come back to the backends that have too many: four to each of the two.
        await engine.RoundAsync(after: () =>
        {
            Add(full, 4);
            Add(second, 4);
            Add(pool.Backends[2].State, 2);
        });
        await engine.BeginsAsync();
        Rebalance running = closes.RebalanceOf(pool.State)!;
        Assert.That((running.Closed, running.Planned), Is.EqualTo((10, 12)), "1.2 times the surplus of the start is the most");
        Shedding[] parts = [closes.Of(full)!, closes.Of(second)!];
        Assert.That(parts.Select(p => p.Closed), Is.EqualTo(new[] { 10, 0 }));
        Assert.That(parts.Sum(p => p.Planned), Is.EqualTo(12), "also of one that the first plan did not mention");

        await engine.RoundAsync(after: () => Assert.That((running.Closed, running.Planned), Is.EqualTo((12, 12))));
    }

    private static void Add(BackendState backend, int count) => Enumerable.Range(0, count).ToList().ForEach(_ => backend.CountEstablished());
}
