using L4Balancer.Core.Routing;
using L4Balancer.Engine;
using L4Balancer.Tests.Control;
using Microsoft.Extensions.Time.Testing;

namespace L4Balancer.Tests.Metrics;

[NonParallelizable]
internal sealed class WorkerInstrumentsTests
{
    [Test]
    public void A_worker_is_busy_by_the_processor_time_since_the_last_look()
    {
        var clock = new FakeTimeProvider();
        var engine = new StillEngine { Loads = [new(0, 7, TimeSpan.Zero), new(1, 5, TimeSpan.Zero)] };
        RoutingSnapshot snapshot = Connections.Snapshot();
        using var metrics = new ScrapedMetrics(() => snapshot, () => engine, clock);

        clock.Advance(TimeSpan.FromSeconds(2));
        engine.Loads = [new(0, 8, TimeSpan.FromSeconds(1)), new(1, 5, TimeSpan.FromSeconds(0.5))];
        Assert.That(metrics.Text(), Does.Contain("l4balancer_worker_connections{worker=\"0\"} 8\n")
            .And.Contain("l4balancer_worker_busy_ratio{worker=\"0\"} 0.5\n")
            .And.Contain("l4balancer_worker_busy_ratio{worker=\"1\"} 0.25\n"));

        // Another scraper, a moment later: the same answer instead of noise.
        clock.Advance(TimeSpan.FromMilliseconds(10));
        engine.Loads = [new(0, 8, TimeSpan.FromSeconds(1.01)), new(1, 5, TimeSpan.FromSeconds(0.5))];
        Assert.That(metrics.Text(), Does.Contain("l4balancer_worker_busy_ratio{worker=\"0\"} 0.5\n"));

        clock.Advance(TimeSpan.FromSeconds(1.99));
        engine.Loads = [new(0, 8, TimeSpan.FromSeconds(3)), new(1, 5, TimeSpan.FromSeconds(0.5))];
        Assert.That(metrics.Text(), Does.Contain("l4balancer_worker_busy_ratio{worker=\"0\"} 1\n")
            .And.Contain("l4balancer_worker_busy_ratio{worker=\"1\"} 0\n"));
    }
}
