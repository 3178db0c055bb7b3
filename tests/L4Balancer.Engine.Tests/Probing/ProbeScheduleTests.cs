using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Health;
using L4Balancer.Core.Routing;
using L4Balancer.Engine.Probing;

namespace L4Balancer.Engine.Tests.Probing;

/// <summary>
/// When probes come, on a clock that the test moves. The only source address is of the other family, so that a probe ends at once
/// and touches no network: what is measured is the prober's own doing.
/// </summary>
public sealed class ProbeScheduleTests
{
    private static readonly HealthSettings Health = new() { Interval = TimeSpan.FromSeconds(20), Jitter = 0.1 };

    private static readonly HealthSettings Paced = Health with
    {
        Jitter = 0,
        FastInterval = TimeSpan.FromSeconds(1),
        DownInterval = TimeSpan.FromSeconds(60),
    };

    private readonly Dictionary<string, List<TimeSpan>> _seen = [];
    private TestClock _clock = null!;
    private Prober _prober = null!;
    private Pool? _lastPool;

    [SetUp]
    public void StartProber()
    {
        _seen.Clear();
        _clock = new TestClock();
        _prober = new Prober(_clock, new Random(5), Note);
    }

    [TearDown]
    public async Task EndProber() => await _prober.DisposeAsync();

    [Test]
    public void First_probes_are_spread_over_two_seconds_although_the_interval_is_longer()
    {
        Publish(Snapshot(Health, backends: 1000));
        RunUntil(TimeSpan.FromSeconds(2) + Prober.Granularity);

        int[] perTenth = [.. Enumerable.Range(0, 20).Select(s => _seen.Values.Count(t => (int)(t[0].TotalSeconds * 10) == s))];
        Assert.That(_seen, Has.Count.EqualTo(1000));
        Assert.That(perTenth, Is.All.InRange(20, 80), "50 are expected in each tenth of a second.");
    }

    [Test]
    public void Each_further_probe_comes_an_interval_later_give_or_take_the_jitter()
    {
        Publish(Snapshot(Health, backends: 100));
        RunUntil(TimeSpan.FromSeconds(120));

        TimeSpan[] pauses = [.. _seen.Values.SelectMany(t => t.Zip(t.Skip(1), (earlier, later) => later - earlier))];
        Assert.That(pauses, Has.Length.GreaterThan(400));
        Assert.That(pauses, Is.All.InRange(TimeSpan.FromSeconds(18), TimeSpan.FromSeconds(22) + (2 * Prober.Granularity)));
        Assert.That(pauses.Min(), Is.LessThan(TimeSpan.FromSeconds(18.2)), "The jitter takes its whole room.");
        Assert.That(pauses.Max(), Is.GreaterThan(TimeSpan.FromSeconds(21.8)), "The jitter takes its whole room.");
    }

    [Test]
    public void A_backend_that_stays_keeps_its_schedule_and_is_reported_for_the_new_snapshot()
    {
        RoutingSnapshot first = Snapshot(Health, backends: 1);
        TimeSpan due = Publish(first);
        _clock.AdvanceTo(due / 2);
        RoutingSnapshot second = Snapshot(Health with { Fall = 5 }, backends: 1, first);

        _prober.Publish(second);
        RunUntil(due);
        Assert.That(_seen["b0"], Is.EqualTo(new[] { due }));
        Assert.That(_lastPool, Is.SameAs(second.Pools[0]));
    }

    [Test]
    public void A_backend_that_joins_is_probed_at_once_and_one_that_left_no_more()
    {
        RoutingSnapshot both = Snapshot(Health, backends: 2);
        Publish(both);
        RunUntil(TimeSpan.FromSeconds(21));
        var joined = ProbedPool.Named(ProbedPool.Loopback(1), ProbedPool.Loopback(2), ProbedPool.Loopback(3)).RemoveAt(0);
        int before = _seen["b0"].Count;
        TimeSpan now = _clock.Elapsed;
        Publish(ProbedPool.Snapshot(Health, [OtherFamily], joined, both));
        RunUntil(TimeSpan.FromSeconds(42));

        Assert.That(_seen["b0"], Has.Count.EqualTo(before));
        Assert.That(_seen["b1"], Has.Count.GreaterThan(1));
        Assert.That(_seen["b2"][0], Is.EqualTo(now));
    }

    [Test]
    public void A_shorter_interval_takes_effect_before_the_longer_one_is_over()
    {
        RoutingSnapshot slow = Snapshot(Health with { Interval = TimeSpan.FromHours(1) }, backends: 1);
        TimeSpan first = Publish(slow);
        RunUntil(first);
        Assert.That(_clock.NextDue, Is.GreaterThan(first + TimeSpan.FromSeconds(2)));

        Assert.That(
            Publish(Snapshot(Health with { Interval = TimeSpan.FromSeconds(2) }, backends: 1, slow)),
            Is.LessThanOrEqualTo(first + TimeSpan.FromSeconds(2)));
    }

    [TestCase(ProbePace.Steady, 20)]
    [TestCase(ProbePace.Fast, 1)]
    [TestCase(ProbePace.Down, 60)]
    public void The_next_probe_comes_at_the_pace_of_the_backend(ProbePace pace, int seconds)
    {
        RoutingSnapshot snapshot = Snapshot(Paced, backends: 1);
        snapshot.Pools[0].Backends[0].State.Health.Pace = pace;
        TimeSpan first = Publish(snapshot);
        RunUntil(first + TimeSpan.FromSeconds(seconds) + Prober.Granularity);

        Assert.That(_seen["b0"], Has.Count.EqualTo(2));
        Assert.That(_seen["b0"][1] - first, Is.InRange(TimeSpan.FromSeconds(seconds), TimeSpan.FromSeconds(seconds) + Prober.Granularity));
    }

    [TestCase(ProbePace.Fast, 1)]
    [TestCase(ProbePace.Down, 60)]
    public void A_new_pace_takes_effect_at_once(ProbePace pace, int seconds)
    {
        RoutingSnapshot snapshot = Snapshot(Paced, backends: 1);
        TimeSpan first = Publish(snapshot);
        RunUntil(first);
        snapshot.Pools[0].Backends[0].State.Health.Pace = pace;
        _clock.ForgetArmed();
        _prober.Replan(snapshot.Pools[0].Backends[0].State);
        Assert.That(_clock.WaitUntilArmed(), Is.GreaterThanOrEqualTo(first + TimeSpan.FromSeconds(seconds)), "No wake-up for the former plan.");
        RunUntil(first + TimeSpan.FromSeconds(seconds) + Prober.Granularity);

        Assert.That(_seen["b0"], Has.Count.EqualTo(2));
        Assert.That(_seen["b0"][1] - first, Is.InRange(TimeSpan.FromSeconds(seconds), TimeSpan.FromSeconds(seconds) + Prober.Granularity));
    }

    [Test]
    public void One_that_its_clients_find_dead_does_not_wait_long_for_its_first_probe()
    {
        RoutingSnapshot snapshot = Snapshot(Paced with { FastInterval = TimeSpan.FromMilliseconds(50) }, backends: 1);
        TimeSpan first = Publish(snapshot);
        snapshot.Pools[0].Backends[0].State.Health.Pace = ProbePace.Fast;
        _clock.ForgetArmed();
        _prober.Replan(snapshot.Pools[0].Backends[0].State);

        Assert.That(_clock.WaitUntilArmed(), Is.EqualTo(TimeSpan.FromMilliseconds(50)).And.LessThan(first));
    }

    [Test]
    public void A_pool_without_health_checks_is_not_probed()
    {
        RoutingSnapshot probed = Snapshot(Health, backends: 1);
        Publish(probed);
        RunUntil(TimeSpan.FromSeconds(21));
        int before = _seen["b0"].Count;
        _prober.Publish(Snapshot(Health with { Type = HealthType.None }, backends: 1, probed));
        _clock.AdvanceTo(TimeSpan.FromSeconds(100));
        _clock.AdvanceTo(TimeSpan.FromSeconds(200));

        // A second snapshot with another backend is the sign that the loop has come past both.
        Publish(ProbedPool.Snapshot(Health, [OtherFamily], ProbedPool.Named(ProbedPool.Loopback(8), ProbedPool.Loopback(9)).RemoveAt(0), null));
        Assert.That(_seen, Contains.Key("b1"));
        Assert.That(_seen["b0"], Has.Count.EqualTo(before));
    }

    private static HostAddress OtherFamily => ProbedPool.Address("::1");

    private static RoutingSnapshot Snapshot(HealthSettings health, int backends, RoutingSnapshot? previous = null) => ProbedPool.Snapshot(
        health, [OtherFamily], ProbedPool.Named([.. Enumerable.Range(1, backends).Select(ProbedPool.Loopback)]), previous);

    private void Note(ProbeReport report)
    {
        _lastPool = report.Pool;
        if (!_seen.TryGetValue(report.Backend.Name, out List<TimeSpan>? times))
        {
            times = [];
            _seen.Add(report.Backend.Name, times);
        }

        times.Add(_clock.Elapsed);
    }

    /// <returns>When the prober wakes up for the first probe.</returns>
    private TimeSpan Publish(RoutingSnapshot snapshot)
    {
        _clock.ForgetArmed();
        _prober.Publish(snapshot);
        return _clock.WaitUntilArmed();
    }

    /// <summary>From one wake-up to the next, so that each probe comes when it is due; the loop has nothing more to do at the end.</summary>
    private void RunUntil(TimeSpan end)
    {
        _clock.ForgetArmed();
        TimeSpan next = _clock.NextDue;
        while (next <= end)
        {
            _clock.AdvanceTo(next);
            next = _clock.WaitUntilArmed();
        }

        _clock.AdvanceTo(end);
    }
}
