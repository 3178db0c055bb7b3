using L4Balancer.Core.Accounting;
using L4Balancer.Core.Config;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Routing;
using L4Balancer.Metrics;

namespace L4Balancer.Tests.Metrics;

/// <summary>What metrics say after a reload: no counter goes back, and gauges end with what they show.</summary>
[NonParallelizable]
internal sealed class DepartedMetricsTests
{
    [Test]
    public void A_backend_that_left_keeps_its_counts_and_is_draining_while_it_holds_connections()
    {
        RoutingSnapshot snapshot = Connections.Snapshot();
        using var metrics = new ScrapedMetrics(() => snapshot);
        Connections.Closed(snapshot, CloseReason.ClientClosed);
        ConnectionRecord open = Connections.Established(snapshot);
        snapshot = Reloaded(snapshot, "other", "elsewhere");

        string[] lines = Lines(metrics);
        Assert.That(lines, Is.SupersetOf(new[]
        {
            "l4balancer_connections_accepted_total{listener=\"wss\"} 2",
            "l4balancer_connections_active{backend=\"ws1\",pool=\"chat\"} 1",
            "l4balancer_connections_closed_total{backend=\"ws1\",pool=\"chat\",reason=\"client_closed\"} 1",
            "l4balancer_connect_attempts_total{backend=\"ws1\",pool=\"chat\"} 2",
            "l4balancer_backend_state{backend=\"ws1\",pool=\"chat\",state=\"draining\"} 1",
            "l4balancer_backend_state{backend=\"ws1\",pool=\"chat\",state=\"up\"} 0",
            "l4balancer_backend_up{backend=\"ws1\",pool=\"elsewhere\"} 1",
        }));
        Assert.That(lines, Has.None.StartWith("l4balancer_backend_up{pool=\"chat\""));

        open.Close(snapshot.State, CloseReason.BackendClosed, wasFirst: false, Connections.Start);
        lines = Lines(metrics);
        Assert.That(lines, Has.Member("l4balancer_connections_closed_total{backend=\"ws1\",pool=\"chat\",reason=\"backend_closed\"} 1"));
        Assert.That(lines, Has.None.StartWith("l4balancer_connections_active{pool=\"chat\"").And.None.StartWith("l4balancer_backend_state{pool=\"chat\""));
    }

    [Test]
    public void A_pool_that_left_is_reported_as_long_as_it_has_something()
    {
        RoutingSnapshot snapshot = Connections.Snapshot();
        using var metrics = new ScrapedMetrics(() => snapshot);
        ConnectionRecord open = Connections.Established(snapshot);
        open.NoteHalfClosed();
        snapshot = Reloaded(snapshot, "wss", "elsewhere");
        string[] lines = Lines(metrics);
        Assert.That(lines, Has.Member("l4balancer_connections_half_closed{pool=\"chat\"} 1"));
        Assert.That(lines, Has.Member("l4balancer_connections_half_closed{pool=\"elsewhere\"} 0"));

        // What is zero is not reported any more.
        Assert.That(lines, Has.None.StartWith("l4balancer_queue_abandoned_total{pool=\"chat\""));
        open.Close(snapshot.State, CloseReason.BackendClosed, wasFirst: false, Connections.Start);
        Assert.That(Lines(metrics), Has.None.StartWith("l4balancer_connections_half_closed{pool=\"chat\""));
    }

    [Test]
    public void A_backend_at_another_address_goes_on_with_the_counts_of_its_name()
    {
        RoutingSnapshot snapshot = Connections.Snapshot();
        using var metrics = new ScrapedMetrics(() => snapshot);
        Connections.Closed(snapshot, CloseReason.ClientClosed);
        Connections.Established(snapshot);
        snapshot = Moved(snapshot);
        Connections.Closed(snapshot, CloseReason.ClientClosed);

        string[] lines = Lines(metrics);
        Assert.That(lines, Is.SupersetOf(new[]
        {
            "l4balancer_connections_active{backend=\"ws1\",pool=\"chat\"} 1",
            "l4balancer_connections_closed_total{backend=\"ws1\",pool=\"chat\",reason=\"client_closed\"} 2",
            "l4balancer_connect_attempts_total{backend=\"ws1\",pool=\"chat\"} 3",
            "l4balancer_backend_state{backend=\"ws1\",pool=\"chat\",state=\"up\"} 1",
        }));
        Assert.That(lines.Select(l => l.Split(' ')[0]).Where(l => l.Contains('{')), Is.Unique);
    }

    [Test]
    public void A_reload_that_adds_thousands_of_backends_loses_no_series_and_no_duration()
    {
        RoutingSnapshot snapshot = Connections.Snapshot();
        using var metrics = new ScrapedMetrics(() => snapshot);
        metrics.Of.Durations.Ended(Connections.Closed(snapshot, CloseReason.ClientClosed));
        Assert.That(Lines(metrics).Count(l => l.StartsWith("l4balancer_backend_up{", StringComparison.Ordinal)), Is.EqualTo(1));

        snapshot = RoutingSnapshot.Build(new(Connections.Config(backends: 9000), 1000), snapshot);
        metrics.Of.Durations.Ended(Connections.Closed(snapshot, CloseReason.ClientClosed));
        string[] lines = Lines(metrics);
        Assert.That(lines.Count(l => l.StartsWith("l4balancer_backend_up{", StringComparison.Ordinal)), Is.EqualTo(9000));
        Assert.That(lines, Has.Member("l4balancer_connection_duration_seconds_count{pool=\"chat\"} 2"));
    }

    private static RoutingSnapshot Reloaded(RoutingSnapshot before, string listener, string pool) =>
        RoutingSnapshot.Build(new(Connections.Config(1, pool, listener), 1000), before);

    private static RoutingSnapshot Moved(RoutingSnapshot before)
    {
        BalancerConfig config = Connections.Config();
        PoolSettings pool = config.Pools[0];
        BackendSettings moved = pool.Backends[0] with { Address = "10.9.9.9:8443" };
        return RoutingSnapshot.Build(new(config with { Pools = [pool with { Backends = [moved] }] }, 1000), before);
    }

    private static string[] Lines(ScrapedMetrics metrics) => metrics.Text().Split('\n');
}
