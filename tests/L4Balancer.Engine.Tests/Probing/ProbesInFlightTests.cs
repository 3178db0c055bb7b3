using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Health;
using L4Balancer.Core.Routing;
using L4Balancer.Engine.Probing;

namespace L4Balancer.Engine.Tests.Probing;

/// <summary>What many probes at once, a change of the snapshot and the end of the prober do to probes that have no answer yet.</summary>
public sealed class ProbesInFlightTests
{
    private static readonly HealthSettings Health = new() { Interval = TimeSpan.FromSeconds(20), Timeout = TimeSpan.FromSeconds(5) };

    private TestClock _clock = null!;
    private ReportLog _log = null!;

    [SetUp]
    public void StartClock() => (_clock, _log) = (new TestClock(), new ReportLog());

    [Test]
    public async Task No_more_probes_are_in_flight_than_the_bound_and_none_is_forgotten()
    {
        int most = 0;
        Prober? prober = null;
        using TestBackend backend = TestBackend.BlackHole();
        await using (prober = new Prober(_clock, new Random(3), TakeAndLook) { MostInFlight = 10 })
        {
            PublishAndStartAll(prober, Snapshot(backend.Endpoint, backends: 35));
            Assert.That(prober.InFlight, Is.EqualTo(10));
            HashSet<string> seen = [];
            while (seen.Count < 35)
            {
                ProbeReport report = NextReport();
                Assert.That(report.Detail, Is.EqualTo("no answer within 5s"));
                seen.Add(report.Backend.Name);
            }
        }

        Assert.That(most, Is.EqualTo(10));

        void TakeAndLook(ProbeReport report)
        {
            most = Math.Max(most, prober!.InFlight);
            _log.Take(report);
        }
    }

    [Test]
    public async Task A_deadline_that_is_looked_at_late_proves_nothing()
    {
        using TestBackend backend = TestBackend.BlackHole();
        await using Prober prober = new(_clock, new Random(3), _log.Take);
        PublishAndStartAll(prober, Snapshot(backend.Endpoint, backends: 1));

        // This process stood still over the deadline. It looks again after another timeout.
        _clock.Advance(TimeSpan.FromSeconds(8));
        Assert.That(_clock.WaitUntilArmed(), Is.GreaterThan(_clock.Elapsed));
        Assert.That(() => _log.Count, Is.Zero.After(200));

        ProbeReport report = NextReport();
        Assert.That((report.Outcome, report.Detail), Is.EqualTo((ProbeOutcome.Failure, "no answer within 5s")));
    }

    [Test]
    public async Task A_prober_that_is_always_late_blames_nobody()
    {
        using TestBackend backend = TestBackend.BlackHole();
        await using Prober prober = new(_clock, new Random(3), _log.Take);
        PublishAndStartAll(prober, Snapshot(backend.Endpoint, backends: 1));
        for (int i = 0; i < 10 && _log.Count == 0; i++)
        {
            _clock.ForgetArmed();
            _clock.Advance(TimeSpan.FromSeconds(8));
            _clock.WaitUntilArmed();
        }

        ProbeReport report = _log.Next();
        Assert.That((report.Outcome, report.Detail), Is.EqualTo((ProbeOutcome.LocalError, "the balancer was too busy to finish the probe")));
    }

    [Test]
    public async Task A_probe_of_a_backend_that_leaves_is_dropped_without_a_report()
    {
        using TestBackend backend = TestBackend.BlackHole();
        using TestBackend other = TestBackend.Silent();
        await using Prober prober = new(_clock, new Random(3), _log.Take);
        RoutingSnapshot first = Snapshot(backend.Endpoint, backends: 1);
        PublishAndStartAll(prober, first);
        Assert.That(prober.InFlight, Is.EqualTo(1));

        prober.Publish(ProbedPool.Snapshot(Health, [], ProbedPool.Named(other.Endpoint), first));
        Assert.That(() => prober.InFlight, Is.EqualTo(0).After(20_000, 1), "Its time is not over: it was cut short.");
        Assert.That(NextReport().Detail, Is.EqualTo("connection refused"), "The first report is that of the backend that came.");
    }

    [Test]
    public async Task A_probe_in_flight_is_reported_for_the_snapshot_that_came_meanwhile()
    {
        using TestBackend backend = TestBackend.BlackHole();
        await using Prober prober = new(_clock, new Random(3), _log.Take);
        RoutingSnapshot first = Snapshot(backend.Endpoint, backends: 1);
        PublishAndStartAll(prober, first);
        Assert.That(prober.InFlight, Is.EqualTo(1));

        RoutingSnapshot second = Snapshot(backend.Endpoint, backends: 1, first);
        TimeSpan start = _clock.Elapsed;
        prober.Publish(second);
        ProbeReport report = NextReport();
        Assert.That(report.Pool, Is.SameAs(second.Pools[0]));
        Assert.That(report.Backend, Is.SameAs(second.Pools[0].Backends[0]));
        Assert.That(report.Detail, Is.EqualTo("no answer within 5s"));
        Assert.That(_clock.Elapsed - start, Is.GreaterThanOrEqualTo(Health.Timeout));
    }

    [Test]
    public async Task The_end_of_the_prober_cuts_short_what_is_in_flight()
    {
        using TestBackend backend = TestBackend.BlackHole();
        Prober prober = new(_clock, new Random(3), _log.Take);
        PublishAndStartAll(prober, Snapshot(backend.Endpoint, backends: 100));
        Assert.That(prober.InFlight, Is.EqualTo(100));

        await prober.DisposeAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(10));
        Assert.That(prober.InFlight, Is.Zero);
        Assert.That(_log.Count, Is.Zero);
        await prober.DisposeAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(10));
    }

    [Test]
    public async Task Reports_come_one_at_a_time()
    {
        using TestBackend silent = TestBackend.Silent();
        HealthSettings quick = Health with { Interval = TimeSpan.FromMilliseconds(1) };
        await using Prober prober = new(TimeProvider.System, new Random(3), _log.Take);
        Endpoint[] backends = [.. Enumerable.Repeat(silent.Endpoint, 50)];
        prober.Publish(ProbedPool.Snapshot(quick, backends));
        for (int i = 0; i < 2000; i++)
        {
            Assert.That(_log.Next().Outcome, Is.EqualTo(ProbeOutcome.Failure));
        }

        Assert.That(_log.Overlapped, Is.False);
    }

    private static RoutingSnapshot Snapshot(Endpoint endpoint, int backends, RoutingSnapshot? previous = null) =>
        ProbedPool.Snapshot(Health, [], ProbedPool.Named([.. Enumerable.Repeat(endpoint, backends)]), previous);

    /// <summary>One interval passes at once, so that every first probe is due; done when the prober sleeps again.</summary>
    private void PublishAndStartAll(Prober prober, RoutingSnapshot snapshot)
    {
        prober.Publish(snapshot);
        _clock.WaitUntilArmed();
        _clock.AdvanceTo(Health.Interval + Prober.Granularity);
        _clock.WaitUntilArmed();
    }

    /// <summary>Lets time pass until something is reported.</summary>
    private ProbeReport NextReport()
    {
        Assert.That(
            () =>
            {
                _clock.AdvanceTo(_clock.Elapsed + TimeSpan.FromMilliseconds(100));
                return _log.Count;
            },
            Is.GreaterThan(0).After(20_000, 1));
        return _log.Next();
    }
}
