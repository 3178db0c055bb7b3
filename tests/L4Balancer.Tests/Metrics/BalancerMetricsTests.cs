using L4Balancer.Core.Accounting;
using L4Balancer.Core.Config;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Health;
using L4Balancer.Core.Routing;
using L4Balancer.Metrics;

namespace L4Balancer.Tests.Metrics;

/// <summary>The metrics of the contract, from counters that connections have changed.</summary>
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
        snapshot.Pools[0].Backends[0].State.Traffic(0).Add(toBackend: 10, toClient: 20);
        snapshot.Sources[0].CountExhausted();
        snapshot.State.Reloads.Count(success: true);
        snapshot.State.Reloads.Count(success: false);
        snapshot.State.Reloads.Count(success: false);

        string[] lines = Lines(snapshot);
        Assert.That(lines, Is.SupersetOf(new[]
        {
            "l4balancer_connections_accepted_total{listener=\"wss\"} 4",
            "l4balancer_connections_refused_total{listener=\"wss\",reason=\"client_reset\"} 1",
            "l4balancer_connections_pending{listener=\"wss\"} 0",
            "l4balancer_connections_active{backend=\"ws1\",pool=\"chat\"} 1",
            "l4balancer_connections_closed_total{backend=\"ws1\",pool=\"chat\",reason=\"client_closed\"} 1",
            "l4balancer_connections_closed_total{backend=\"ws1\",pool=\"chat\",reason=\"idle_timeout\"} 1",
            "l4balancer_connect_attempts_total{backend=\"ws1\",pool=\"chat\"} 4",
            "l4balancer_relayed_bytes_total{backend=\"ws1\",direction=\"to_backend\",pool=\"chat\"} 10",
            "l4balancer_relayed_bytes_total{backend=\"ws1\",direction=\"to_client\",pool=\"chat\"} 20",
            "l4balancer_source_ports_exhausted_total{source_ip=\"auto\"} 1",
            "l4balancer_reloads_total{result=\"success\"} 1",
            "l4balancer_reloads_total{result=\"failure\"} 2",
            "l4balancer_config_generation{} 1",
        }));
    }

    [Test]
    public void Source_ports_are_those_towards_the_fullest_destination()
    {
        RoutingSnapshot snapshot = Connections.Snapshot(backends: 3);
        Assert.That(Lines(snapshot), Is.SupersetOf(new[]
        {
            "l4balancer_source_ports_in_use{source_ip=\"auto\"} 0", "l4balancer_source_ports_exhausted_total{source_ip=\"auto\"} 0",
        }));
        Assert.That(Expose(snapshot), Does.Not.Contain("source_ports_limit{"), "the range is not known yet");

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
    public void Series_exist_at_zero_from_the_start()
    {
        string[] lines = Lines(Connections.Snapshot());
        Assert.That(lines, Is.SupersetOf(new[]
        {
            "l4balancer_connections_accepted_total{listener=\"wss\"} 0",
            "l4balancer_connections_pending{listener=\"wss\"} 0",
            "l4balancer_connections_active{backend=\"ws1\",pool=\"chat\"} 0",
            "l4balancer_relayed_bytes_total{backend=\"ws1\",direction=\"to_backend\",pool=\"chat\"} 0",
            "l4balancer_relayed_bytes_total{backend=\"ws1\",direction=\"to_client\",pool=\"chat\"} 0",
            "l4balancer_connect_attempts_total{backend=\"ws1\",pool=\"chat\"} 0",
            "l4balancer_backend_up{backend=\"ws1\",pool=\"chat\"} 1",
            "l4balancer_health_checks_total{backend=\"ws1\",pool=\"chat\",result=\"success\"} 0",
            "l4balancer_health_checks_total{backend=\"ws1\",pool=\"chat\",result=\"failure\"} 0",
            "l4balancer_health_checks_total{backend=\"ws1\",pool=\"chat\",result=\"local_error\"} 0",
            "l4balancer_health_transitions_total{backend=\"ws1\",pool=\"chat\"} 0",
            "l4balancer_source_ports_in_use{source_ip=\"auto\"} 0",
            "l4balancer_reloads_total{result=\"success\"} 0",
            "l4balancer_reloads_total{result=\"failure\"} 0",
            "l4balancer_connections_refused_total{listener=\"wss\",reason=\"no_backend\"} 0",
        }));
        Assert.That(lines, Has.None.Contains("connections_closed_total{").And.None.Contains("connections_shed_total{")
            .And.None.Contains("connect_failures_total{").And.None.Contains("reason=\"client_reset\""));
    }

    [Test]
    public void Degraded_is_a_state_of_its_own_and_not_up()
    {
        RoutingSnapshot snapshot = Connections.Snapshot(backends: 2);
        snapshot.Pools[0].SetHealth(new Dictionary<int, HealthState> { [1] = HealthState.Degraded });

        Assert.That(Lines(snapshot), Is.SupersetOf(new[]
        {
            "l4balancer_backend_up{backend=\"ws2\",pool=\"chat\"} 0",
            "l4balancer_backend_state{backend=\"ws1\",pool=\"chat\",state=\"degraded\"} 0",
            "l4balancer_backend_state{backend=\"ws2\",pool=\"chat\",state=\"degraded\"} 1",
            "l4balancer_backend_state{backend=\"ws2\",pool=\"chat\",state=\"down\"} 0",
            "l4balancer_backend_state{backend=\"ws2\",pool=\"chat\",state=\"up\"} 0",
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
        pool.Backends[1].State.Health.Count(ProbeOutcome.Failure);
        pool.Backends[1].State.Health.CountTransition(Connections.Start);
        pool.Backends[0].State.Health.Count(ProbeOutcome.Success);
        pool.Backends[0].State.Health.Count(ProbeOutcome.LocalError);

        Assert.That(Lines(snapshot), Is.SupersetOf(new[]
        {
            "l4balancer_backend_up{backend=\"ws1\",pool=\"chat\"} 1",
            "l4balancer_backend_up{backend=\"ws2\",pool=\"chat\"} 0",
            "l4balancer_backend_state{backend=\"ws1\",pool=\"chat\",state=\"up\"} 1",
            "l4balancer_backend_state{backend=\"ws2\",pool=\"chat\",state=\"up\"} 0",
            "l4balancer_backend_state{backend=\"ws2\",pool=\"chat\",state=\"down\"} 1",
            "l4balancer_backend_state{backend=\"ws3\",pool=\"chat\",state=\"up\"} 0",
            "l4balancer_backend_state{backend=\"ws3\",pool=\"chat\",state=\"draining\"} 1",
            "l4balancer_backend_state{backend=\"ws4\",pool=\"chat\",state=\"maintenance\"} 1",
            "l4balancer_backend_share_ratio{backend=\"ws1\",pool=\"chat\"} 0",
            "l4balancer_backend_share_ratio{backend=\"ws2\",pool=\"chat\"} NaN",
            "l4balancer_health_checks_total{backend=\"ws1\",pool=\"chat\",result=\"success\"} 1",
            "l4balancer_health_checks_total{backend=\"ws1\",pool=\"chat\",result=\"local_error\"} 1",
            "l4balancer_health_checks_total{backend=\"ws2\",pool=\"chat\",result=\"failure\"} 1",
            "l4balancer_health_transitions_total{backend=\"ws2\",pool=\"chat\"} 1",
        }));
    }

    [Test]
    public void Durations_fall_into_the_buckets_of_the_contract()
    {
        RoutingSnapshot snapshot = Connections.Snapshot();
        using var metrics = new ScrapedMetrics(() => snapshot);
        ConnectionRecord record = Connections.Closed(snapshot, CloseReason.ClientClosed);
        metrics.Of.Durations.Established(record);
        metrics.Of.Durations.Ended(record);
        metrics.Of.Durations.Ended(Connections.Refused(snapshot, CloseReason.NoBackend));

        string text = metrics.Text();
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
            pool.Backends[i == 0 ? 1 : 0].State.CountEstablished();
        }

        var shares = new FairShares(pool);
        Assert.That(pool.Backends.Select(shares.RatioOf), Is.EqualTo(new[] { 1.5, 0.5, double.NaN }));
    }

    [Test]
    public void What_a_backup_holds_while_primaries_serve_is_surplus_and_what_others_hold_is_nobody_s()
    {
        BalancerConfig config = Connections.Config(backends: 4);
        PoolSettings settings = config.Pools[0];
        settings = settings with { Backends = [.. settings.Backends.Select((b, i) => b with { Backup = i >= 2 })] };
        Pool pool = RoutingSnapshot.Build(new(config with { Pools = [settings] }, 1000)).Pools[0];
        pool.SetMode(0, BackendMode.Draining);
        foreach ((int backend, int count) in new[] { (0, 70), (1, 10), (2, 30) })
        {
            Enumerable.Range(0, count).ToList().ForEach(_ => pool.Backends[backend].State.CountEstablished());
        }

        // 40 connections belong to the one that serves. As a second one, the backup would hold 20 of them.
        Assert.That(pool.Backends.Select(new FairShares(pool).RatioOf), Is.EqualTo(new[] { double.NaN, 0.25, 1.5, double.NaN }));
        pool.SetHealth(new Dictionary<int, HealthState> { [1] = HealthState.Down });
        Assert.That(pool.Backends.Select(new FairShares(pool).RatioOf), Is.EqualTo(new[] { double.NaN, double.NaN, 2, 0 }), "the backups serve");
    }

    [Test]
    public void Ten_thousand_backends_all_have_their_series()
    {
        RoutingSnapshot snapshot = Connections.Snapshot(backends: 10_000);
        foreach (Backend backend in snapshot.Pools[0].Backends)
        {
            backend.State.CountConnectAttempt();
            for (var reason = CloseReason.ClientClosed; reason <= CloseReason.MaxAge; reason++)
            {
                backend.State.CountEstablished();
                backend.State.CountClosed(reason);
            }
        }

        string[] lines = Lines(snapshot);
        Assert.That(lines.Count(l => l.StartsWith("l4balancer_connections_closed_total{", StringComparison.Ordinal)), Is.EqualTo(90_000));
        Assert.That(lines.Count(l => l.StartsWith("l4balancer_backend_state{", StringComparison.Ordinal)), Is.EqualTo(60_000));
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
            string line = text.Split('\n').Single(l => l.StartsWith(name + "{} ", StringComparison.Ordinal));
            Assert.That(double.Parse(line[(name.Length + 3)..], System.Globalization.CultureInfo.InvariantCulture), Is.GreaterThan(0), line);
        }

        Assert.That(text, Does.Contain("# TYPE process_cpu_seconds_total counter\n"));
    }

    private static string[] Lines(RoutingSnapshot snapshot) => Expose(snapshot).Split('\n');

    private static string Expose(RoutingSnapshot snapshot)
    {
        using var metrics = new ScrapedMetrics(() => snapshot);
        return metrics.Text();
    }
}
