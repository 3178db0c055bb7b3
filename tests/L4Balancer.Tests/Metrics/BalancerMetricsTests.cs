using System.Buffers;
using System.Text;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Health;
using L4Balancer.Core.Routing;
using L4Balancer.Metrics;

namespace L4Balancer.Tests.Metrics;

/// <summary>The metrics of the contract, from cells that connections moved.</summary>
[NonParallelizable]
internal sealed class BalancerMetricsTests
{
    [Test]
    public void Counters_equal_what_happened()
    {
        RoutingSnapshot snapshot = Connections.Snapshot();
        Connections.Closed(snapshot, CloseReason.ClientClosed);
        Connections.Closed(snapshot, CloseReason.IdleTimeout);
        Connections.Established(snapshot);
        Connections.Refused(snapshot, CloseReason.ClientReset);
        snapshot.Pools[0].Backends[0].Cell.Traffic(0).Add(toBackend: 10, toClient: 20);
        snapshot.Sources[0].CountExhausted();
        snapshot.Cell.Reloads.Count(success: true);
        snapshot.Cell.Reloads.Count(success: false);
        snapshot.Cell.Reloads.Count(success: false);

        string[] lines = Lines(snapshot);
        Assert.That(lines, Is.SupersetOf(new[]
        {
            "l4balancer_connections_accepted_total{listener=\"wss\"} 4",
            "l4balancer_connections_refused_total{listener=\"wss\",reason=\"client_reset\"} 1",
            "l4balancer_connections_pending{listener=\"wss\"} 0",
            "l4balancer_connections_active{pool=\"chat\",backend=\"ws1\"} 1",
            "l4balancer_connections_closed_total{pool=\"chat\",backend=\"ws1\",reason=\"client_closed\"} 1",
            "l4balancer_connections_closed_total{pool=\"chat\",backend=\"ws1\",reason=\"idle_timeout\"} 1",
            "l4balancer_connect_attempts_total{pool=\"chat\",backend=\"ws1\"} 4",
            "l4balancer_relayed_bytes_total{pool=\"chat\",backend=\"ws1\",direction=\"to_backend\"} 10",
            "l4balancer_relayed_bytes_total{pool=\"chat\",backend=\"ws1\",direction=\"to_client\"} 20",
            "l4balancer_source_ports_exhausted_total{source_ip=\"auto\"} 1",
            "l4balancer_reloads_total{result=\"success\"} 1",
            "l4balancer_reloads_total{result=\"failure\"} 2",
            "l4balancer_config_generation 1",
        }));
    }

    [Test]
    public void Source_ports_are_those_towards_the_fullest_destination()
    {
        RoutingSnapshot snapshot = Connections.Snapshot(backends: 3);
        Assert.That(Expose(snapshot), Does.Not.Contain("source_ports_"), "nothing was connected yet");

        snapshot.Ports.Supply.Range = Core.Ports.PortRange.Parse("40000 40999", "40500-40599");
        for (int i = 0; i < 5; i++)
        {
            Connections.Established(snapshot);
        }

        int fullest = snapshot.Ports.Uses.Max(u => u.Held);
        Assert.That(fullest, Is.InRange(2, 5));
        Assert.That(Lines(snapshot), Is.SupersetOf(new[]
        {
            $"l4balancer_source_ports_in_use{{source_ip=\"auto\"}} {fullest}",
            "l4balancer_source_ports_limit{source_ip=\"auto\"} 900",
        }));
    }

    [Test]
    public void A_series_appears_when_it_is_first_touched()
    {
        RoutingSnapshot snapshot = Connections.Snapshot();
        string before = Expose(snapshot);
        Assert.That(before, Does.Not.Contain("connections_").And.Not.Contain("connect_").And.Not.Contain("relayed_bytes").And.Not.Contain("health_")
            .And.Not.Contain("reloads_"));
        Assert.That(before, Does.Contain("l4balancer_backend_up{pool=\"chat\",backend=\"ws1\"} 1\n"));
    }

    [Test]
    public void Degraded_is_a_state_of_its_own_and_not_up()
    {
        RoutingSnapshot snapshot = Connections.Snapshot(backends: 2);
        snapshot.Pools[0].SetHealth(new Dictionary<int, HealthState> { [1] = HealthState.Degraded });

        Assert.That(Lines(snapshot), Is.SupersetOf(new[]
        {
            "l4balancer_backend_up{pool=\"chat\",backend=\"ws2\"} 0",
            "l4balancer_backend_state{pool=\"chat\",backend=\"ws1\",state=\"degraded\"} 0",
            "l4balancer_backend_state{pool=\"chat\",backend=\"ws2\",state=\"degraded\"} 1",
            "l4balancer_backend_state{pool=\"chat\",backend=\"ws2\",state=\"down\"} 0",
            "l4balancer_backend_state{pool=\"chat\",backend=\"ws2\",state=\"up\"} 0",
        }));
    }

    [Test]
    public void Health_shows_in_state_checks_and_transitions()
    {
        RoutingSnapshot snapshot = Connections.Snapshot(backends: 4);
        Pool pool = snapshot.Pools[0];
        pool.SetHealth(new Dictionary<int, HealthState> { [1] = HealthState.Down });
        pool.SetMode(2, BackendMode.Draining);
        pool.SetMode(3, BackendMode.Maintenance);
        pool.Backends[1].Cell.Health.CountFailed();
        pool.Backends[1].Cell.Health.CountTransition();
        pool.Backends[0].Cell.Health.CountSucceeded();
        pool.Backends[0].Cell.Health.CountLocalError();

        Assert.That(Lines(snapshot), Is.SupersetOf(new[]
        {
            "l4balancer_backend_up{pool=\"chat\",backend=\"ws1\"} 1",
            "l4balancer_backend_up{pool=\"chat\",backend=\"ws2\"} 0",
            "l4balancer_backend_state{pool=\"chat\",backend=\"ws1\",state=\"up\"} 1",
            "l4balancer_backend_state{pool=\"chat\",backend=\"ws2\",state=\"up\"} 0",
            "l4balancer_backend_state{pool=\"chat\",backend=\"ws2\",state=\"down\"} 1",
            "l4balancer_backend_state{pool=\"chat\",backend=\"ws3\",state=\"up\"} 0",
            "l4balancer_backend_state{pool=\"chat\",backend=\"ws3\",state=\"draining\"} 1",
            "l4balancer_backend_state{pool=\"chat\",backend=\"ws4\",state=\"maintenance\"} 1",
            "l4balancer_backend_share_ratio{pool=\"chat\",backend=\"ws1\"} 0",
            "l4balancer_backend_share_ratio{pool=\"chat\",backend=\"ws2\"} NaN",
            "l4balancer_health_checks_total{pool=\"chat\",backend=\"ws1\",result=\"success\"} 1",
            "l4balancer_health_checks_total{pool=\"chat\",backend=\"ws1\",result=\"local_error\"} 1",
            "l4balancer_health_checks_total{pool=\"chat\",backend=\"ws2\",result=\"failure\"} 1",
            "l4balancer_health_transitions_total{pool=\"chat\",backend=\"ws2\"} 1",
        }));
    }

    [Test]
    public void Durations_fall_into_the_buckets_of_the_contract()
    {
        RoutingSnapshot snapshot = Connections.Snapshot();
        using var metrics = new BalancerMetrics(() => snapshot, () => null, TimeProvider.System);
        ConnectionRecord record = Connections.Closed(snapshot, CloseReason.ClientClosed);
        metrics.Durations.Established(record);
        metrics.Durations.Ended(record);
        metrics.Durations.Ended(Connections.Refused(snapshot, CloseReason.NoBackend));

        string text = Expose(metrics);
        Assert.That(text, Does.Contain("l4balancer_connect_duration_seconds_bucket{pool=\"chat\",le=\"0.001\"} 0\n")
            .And.Contain("l4balancer_connect_duration_seconds_bucket{pool=\"chat\",le=\"0.0025\"} 1\n")
            .And.Contain("l4balancer_connection_duration_seconds_bucket{pool=\"chat\",le=\"5\"} 0\n")
            .And.Contain("l4balancer_connection_duration_seconds_bucket{pool=\"chat\",le=\"15\"} 1\n")
            .And.Contain("l4balancer_connection_duration_seconds_bucket{pool=\"chat\",le=\"604800\"} 1\n")
            .And.Contain("l4balancer_connection_duration_seconds_sum{pool=\"chat\"} 5.002\n")
            .And.Contain("l4balancer_connection_duration_seconds_count{pool=\"chat\"} 1\n"));
    }

    [Test]
    public void The_share_is_by_weight_among_those_that_live()
    {
        RoutingSnapshot snapshot = Connections.Snapshot(backends: 3);
        Pool pool = snapshot.Pools[0];
        pool.SetHealth(new Dictionary<int, HealthState> { [2] = HealthState.Down });
        for (int i = 0; i < 4; i++)
        {
            pool.Backends[i == 0 ? 1 : 0].Cell.CountEstablished();
        }

        var shares = new FairShares(pool);
        Assert.That(pool.Backends.Select(shares.RatioOf), Is.EqualTo(new[] { 1.5, 0.5, double.NaN }));
    }

    [Test]
    public void Ten_thousand_backends_all_have_their_series()
    {
        RoutingSnapshot snapshot = Connections.Snapshot(backends: 10_000);
        foreach (Backend backend in snapshot.Pools[0].Backends)
        {
            backend.Cell.CountConnectAttempt();
            for (var reason = CloseReason.ClientClosed; reason <= CloseReason.MaxAge; reason++)
            {
                backend.Cell.CountEstablished();
                backend.Cell.CountClosed(reason);
            }
        }

        string[] lines = Lines(snapshot);
        Assert.That(lines.Count(l => l.StartsWith("l4balancer_connections_closed_total{", StringComparison.Ordinal)), Is.EqualTo(70_000));
        Assert.That(lines.Count(l => l.StartsWith("l4balancer_backend_state{", StringComparison.Ordinal)), Is.EqualTo(50_000));
        Assert.That(lines.Count(l => l.StartsWith("l4balancer_connect_attempts_total{", StringComparison.Ordinal)), Is.EqualTo(10_000));
    }

    [Test]
    public void The_process_tells_the_standard_figures()
    {
        string text = Expose(Connections.Snapshot());
        foreach (string name in new[]
        {
            "process_resident_memory_bytes", "process_cpu_seconds_total", "process_start_time_seconds", "process_threads",
            "process_open_fds", "process_max_fds",
        })
        {
            string line = text.Split('\n').Single(l => l.StartsWith(name + " ", StringComparison.Ordinal));
            Assert.That(double.Parse(line[(name.Length + 1)..], System.Globalization.CultureInfo.InvariantCulture), Is.GreaterThan(0), line);
        }

        Assert.That(text, Does.Contain("# TYPE process_cpu_seconds_total counter\n"));
    }

    private static string[] Lines(RoutingSnapshot snapshot) => Expose(snapshot).Split('\n');

    private static string Expose(RoutingSnapshot snapshot)
    {
        using var metrics = new BalancerMetrics(() => snapshot, () => null, TimeProvider.System);
        return Expose(metrics);
    }

    private static string Expose(BalancerMetrics metrics)
    {
        var output = new ArrayBufferWriter<byte>();
        metrics.Write(output, ExpositionFormat.Prometheus);
        return Encoding.UTF8.GetString(output.WrittenSpan);
    }
}
