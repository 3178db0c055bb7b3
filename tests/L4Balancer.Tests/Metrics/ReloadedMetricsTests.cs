using L4Balancer.Core.Accounting;
using L4Balancer.Core.Health;
using L4Balancer.Core.Routing;
using L4Balancer.Metrics;

namespace L4Balancer.Tests.Metrics;

/// <summary>Scrapes while the set of backends, listeners and pools changes under them.</summary>
[NonParallelizable]
internal sealed class ReloadedMetricsTests
{
    private const int Reloads = 50;

    [TestCase("text/plain")]
    [TestCase(ScrapedMetrics.OpenMetrics)]
    public void No_series_comes_twice_and_no_counter_steps_back_over_reloads(string accept)
    {
        RoutingSnapshot snapshot = Connections.Snapshot();
        using var metrics = new ScrapedMetrics(() => Volatile.Read(ref snapshot));
        var watch = new CounterWatch();
        for (int reload = 0; reload < Reloads; reload++)
        {
            Touch(snapshot);
            watch.Look(metrics.Text(accept));
            Volatile.Write(ref snapshot, Next(snapshot, reload));
            watch.Look(metrics.Text(accept));
        }

        Assert.That(watch.Faults, Is.Empty);
        Assert.That(watch.Series, Is.GreaterThan(1000));
    }

    [Test]
    public async Task Nor_do_they_where_several_scrape_while_it_is_reloaded()
    {
        RoutingSnapshot snapshot = Connections.Snapshot();
        using var metrics = new ScrapedMetrics(() => Volatile.Read(ref snapshot));
        using var done = new CancellationTokenSource();
        CounterWatch[] watches = [new(), new(), new()];
        Task[] scrapes =
        [
            .. watches.Select((watch, i) => Task.Run(() =>
            {
                while (!done.IsCancellationRequested)
                {
                    watch.Look(metrics.Text(i == 2 ? ScrapedMetrics.OpenMetrics : "text/plain"));
                }
            })),
        ];
        for (int reload = 0; reload < Reloads; reload++)
        {
            Touch(snapshot);
            Volatile.Write(ref snapshot, Next(snapshot, reload));
            int seen = watches[0].Looks;
            Assert.That(SpinWait.SpinUntil(() => watches[0].Looks > seen || scrapes[0].IsCompleted, DaemonProcess.Deadline), Is.True);
        }

        await done.CancelAsync();
        await Task.WhenAll(scrapes);
        Assert.That(watches.SelectMany(w => w.Faults), Is.Empty);
        Assert.That(watches.Select(w => w.Looks), Has.All.GreaterThan(5));
    }

    [Test]
    public void A_backend_keeps_the_start_of_its_counters_while_others_come_and_go()
    {
        RoutingSnapshot snapshot = Connections.Snapshot(backends: 3);
        using var metrics = new ScrapedMetrics(() => snapshot);
        string started = Created();
        for (int reload = 0; reload < 10; reload++)
        {
            // More than the groups there are have places for, each time.
            snapshot = RoutingSnapshot.Build(new(Connections.Config(backends: 3 + (200 * (reload + 1))), 1000), snapshot);
            Assert.That(Created(), Is.EqualTo(started));
        }

        string Created() => metrics.Text(ScrapedMetrics.OpenMetrics).Split('\n')
            .Single(l => l.StartsWith("l4balancer_connect_attempts_created{backend=\"ws2\",", StringComparison.Ordinal));
    }

    [Test]
    public void From_3_to_5000_backends_and_back_leaves_nothing_behind_and_loses_nothing()
    {
        RoutingSnapshot snapshot = Connections.Snapshot(backends: 3);
        using var metrics = new ScrapedMetrics(() => snapshot);
        Assert.That(Up(), Is.EqualTo(3));
        snapshot = RoutingSnapshot.Build(new(Connections.Config(backends: 5000), 1000), snapshot);
        Assert.That(Up(), Is.EqualTo(5000));
        snapshot = RoutingSnapshot.Build(new(Connections.Config(backends: 3), 1000), snapshot);
        Assert.That(Up(), Is.EqualTo(3));

        int Up()
        {
            string text = metrics.Text();
            Assert.That(text, Does.Not.Contain("overflow"));
            return text.Split('\n').Count(l => l.StartsWith("l4balancer_backend_up{", StringComparison.Ordinal));
        }
    }

    [Test]
    public void Every_reason_of_every_backend_and_listener_has_its_place()
    {
        RoutingSnapshot snapshot = Connections.Snapshot(backends: 200);
        foreach (Backend backend in snapshot.Pools[0].Backends)
        {
            Enumerable.Range(0, 14).ToList().ForEach(r => backend.State.CountClosed((CloseReason)(r + 1)));
            CloseReasons.Paced.ToList().ForEach(backend.State.Shed.Count);
            Enumerable.Range(0, 4).ToList().ForEach(r => backend.State.ConnectFailures.Count((CloseReason)(r + 1)));
        }

        Enumerable.Range(0, CloseReasons.Count).ToList().ForEach(r => snapshot.Listeners[0].State.Refused.Count((CloseReason)r));
        using var metrics = new ScrapedMetrics(() => snapshot);
        string text = metrics.Text();
        Assert.That(text, Does.Not.Contain("overflow"));
        Assert.That(text.Split("connections_refused_total{").Length - 1, Is.EqualTo(CloseReasons.Count));
        Assert.That(text.Split("connections_closed_total{").Length - 1, Is.EqualTo(200 * 14));
    }

    private static void Touch(RoutingSnapshot snapshot)
    {
        Connections.Closed(snapshot, CloseReason.ClientClosed);
        Connections.Refused(snapshot, CloseReason.NoBackend);
        snapshot.State.Reloads.Count(success: true);
        foreach (Backend backend in snapshot.Pools[0].Backends)
        {
            backend.State.Traffic(0).Add(1, 2);
            backend.State.Health.Count(ProbeOutcome.Success);
        }
    }

    /// <summary>The number of backends jumps, and every seventh time another pool and listener take over.</summary>
    private static RoutingSnapshot Next(RoutingSnapshot before, int reload) => RoutingSnapshot.Build(
        new(
            reload % 7 == 6 ? Connections.Config(5, $"pool{reload}", $"in{reload}") : Connections.Config(backends: 1 + (reload * 37 % 211)),
            1000),
        before);
}
