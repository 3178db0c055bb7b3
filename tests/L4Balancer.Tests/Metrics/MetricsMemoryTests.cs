using L4Balancer.Core.Routing;

namespace L4Balancer.Tests.Metrics;

/// <summary>What is kept between scrapes.</summary>
[NonParallelizable]
internal sealed class MetricsMemoryTests
{
    [Test]
    public void Thousands_of_scrapes_keep_nothing()
    {
        RoutingSnapshot snapshot = Connections.Snapshot(backends: 20);
        using var metrics = new ScrapedMetrics(() => snapshot);
        Scrape(metrics, 100);
        long before = GC.GetTotalMemory(forceFullCollection: true);
        Scrape(metrics, 3000);
        long after = GC.GetTotalMemory(forceFullCollection: true);
        Assert.That(after - before, Is.LessThan(512 * 1024));
    }

    [Test]
    public void Backends_that_were_replaced_by_others_often_enough_to_be_forgotten_keep_nothing()
    {
        RoutingSnapshot snapshot = Connections.Snapshot();
        using var metrics = new ScrapedMetrics(() => Volatile.Read(ref snapshot));
        Replace(10);
        long before = GC.GetTotalMemory(forceFullCollection: true);
        Replace(20);
        long after = GC.GetTotalMemory(forceFullCollection: true);
        TestContext.Out.WriteLine($"{before} bytes before, {after} after");

        // 30,000 backends came and went: where the exporter keeps their series, that is 100 MB.
        Assert.That(after - before, Is.LessThan(20_000_000));

        void Replace(int times)
        {
            for (int i = 0; i < times; i++)
            {
                // The next names every time, of which the 4,096 latest are remembered.
                snapshot = RoutingSnapshot.Build(new(Connections.Config(1500, $"pool{Guid.NewGuid():N}"), 1000), snapshot);
                metrics.Body().Dispose();
            }
        }
    }

    private static void Scrape(ScrapedMetrics metrics, int times)
    {
        for (int i = 0; i < times; i++)
        {
            metrics.Body().Dispose();
        }
    }
}
