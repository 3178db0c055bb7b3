using L4Balancer.Core.Health;

namespace L4Balancer.Core.Tests.Health;

/// <summary>When probes come: spread at the start, jittered afterwards.</summary>
internal sealed class ProbeScheduleTests
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Fast = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan Down = TimeSpan.FromSeconds(5);

    [Test]
    public void First_probes_spread_over_one_interval()
    {
        var schedule = new ProbeSchedule(Interval, Fast, Down, 0.1, new Random(7));

        TimeSpan[] firsts = [.. Enumerable.Range(0, 1000).Select(_ => schedule.First())];

        using (Assert.EnterMultipleScope())
        {
            Assert.That(firsts, Is.All.InRange(TimeSpan.Zero, Interval));
            for (int tenth = 0; tenth < 10; tenth++)
            {
                int here = firsts.Count(f => (int)(f / Interval * 10) == tenth);
                Assert.That(here, Is.InRange(60, 140), $"in tenth {tenth} of the interval");
            }
        }
    }

    [Test]
    public void With_a_long_interval_first_probes_come_within_two_seconds_and_those_after_a_change_spread_over_all_of_it()
    {
        var schedule = new ProbeSchedule(TimeSpan.FromSeconds(30), Fast, Down, 0.1, new Random(7));

        TimeSpan[] firsts = [.. Enumerable.Range(0, 1000).Select(_ => schedule.First())];
        TimeSpan[] anew = [.. Enumerable.Range(0, 1000).Select(_ => schedule.Anew())];

        Assert.That(firsts, Is.All.InRange(TimeSpan.Zero, ProbeSchedule.LongestSpread));
        Assert.That(firsts.Max(), Is.GreaterThan(TimeSpan.FromSeconds(1.9)));
        Assert.That(anew.Max(), Is.InRange(TimeSpan.FromSeconds(29), TimeSpan.FromSeconds(30)));
    }

    [Test]
    public void Further_probes_stay_within_the_jitter_and_keep_the_interval_on_average()
    {
        var schedule = new ProbeSchedule(Interval, Fast, Down, 0.25, new Random(8));

        TimeSpan[] gaps = [.. Enumerable.Range(0, 2000).Select(_ => schedule.Next(ProbePace.Steady))];

        using (Assert.EnterMultipleScope())
        {
            Assert.That(gaps, Is.All.InRange(Interval * 0.75, Interval * 1.25));
            Assert.That((gaps.Min(), gaps.Max()), Is.Not.EqualTo((Interval, Interval)));
            Assert.That(gaps.Average(g => g.TotalSeconds), Is.EqualTo(Interval.TotalSeconds).Within(1).Percent);
        }
    }

    [Test]
    public void Without_jitter_probes_are_regular()
    {
        var schedule = new ProbeSchedule(Interval, Fast, Down, 0, new Random(9));

        Assert.That(Enumerable.Range(0, 10).Select(_ => schedule.Next(ProbePace.Steady)), Is.All.EqualTo(Interval));
    }

    [TestCase(ProbePace.Steady, ExpectedResult = 2000)]
    [TestCase(ProbePace.Fast, ExpectedResult = 500)]
    [TestCase(ProbePace.Down, ExpectedResult = 5000)]
    public double Each_pace_has_its_interval(ProbePace pace) =>
        new ProbeSchedule(Interval, Fast, Down, 0, new Random(9)).Next(pace).TotalMilliseconds;

    [Test]
    public void In_transition_nobody_is_probed_less_often_than_in_peace()
    {
        var schedule = new ProbeSchedule(TimeSpan.FromMilliseconds(100), Fast, Down, 0, new Random(9));

        Assert.That(schedule.Next(ProbePace.Fast), Is.EqualTo(TimeSpan.FromMilliseconds(100)));
    }
}
