using L4Balancer.Core.Timing;
using L4Balancer.Engine.Epoll;
using L4Balancer.Engine.Loop;

namespace L4Balancer.Engine.Tests.Loop;

/// <summary>The wheel against a list of deadlines that is searched from end to end.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class TimerWheelTests
{
    private Instant _now = new(TimeSpan.FromHours(1).Ticks + 12_345);
    private int _fired;

    [Test]
    public void It_fires_what_a_naive_list_would_never_early_and_at_most_two_ticks_late([Values(1, 2, 3, 4, 5, 6)] int seed)
    {
        const int timers = 700;
        var random = new Random(seed);
        NaiveTimers? both = null;
        both = new NaiveTimers(_now, () =>
        {
            int other = random.Next(timers);
            switch (random.Next(4))
            {
                case 0:
                    both!.Set(other, Span(random) + TimeSpan.FromMilliseconds(1));
                    break;
                case 1:
                    both!.Cancel(other);
                    break;
                default:
                    break;
            }
        });

        for (int step = 0; step < 20_000; step++)
        {
            int index = random.Next(timers);
            switch (random.Next(8))
            {
                case 0:
                    both.Cancel(index);
                    break;
                case 1:
                    both.Set(index, -Span(random));
                    break;
                case < 6:
                    both.Set(index, Span(random));
                    break;
                default:
                    both.Advance(Span(random));
                    break;
            }

            both.AssertWaitEndsInTime();
        }

        TestContext.Out.WriteLine($"{both.Fired} timers fired");
        Assert.That(both.Fired, Is.GreaterThan(1000), "the run was about something");
    }

    /// <summary>The same over short runs that are new each time: one that fails is cut down to the steps that it needs.</summary>
    [FsCheck.NUnit.Property(MaxTest = 300, EndSize = 60)]
    public void Any_few_steps_agree_with_a_naive_list(Step[] steps)
    {
        var both = new NaiveTimers(_now, () => { });
        foreach (Step step in steps)
        {
            TimeSpan span = NaiveTimers.Scales[step.Scale % NaiveTimers.Scales.Length] * (step.Percent / 100.0);
            int index = step.Timer % 4;
            switch (step.Kind % 5)
            {
                case 0:
                    both.Cancel(index);
                    break;
                case 1:
                    both.Set(index, -span);
                    break;
                case < 4:
                    both.Set(index, span);
                    break;
                default:
                    both.Advance(span);
                    break;
            }

            both.AssertWaitEndsInTime();
        }
    }

    [Test]
    public void A_loop_that_sleeps_as_told_fires_in_time_and_wakes_a_few_times_only([Values(1, 20, 700, 40_000, 3_600_000, 1_000_000_000)] long ahead)
    {
        bool fired = false;
        var wheel = new TimerWheel(_now, _ => fired = true);
        Instant deadline = _now + TimeSpan.FromMilliseconds(ahead);
        wheel.Set(3, deadline);

        int wakes = 0;
        while (!fired)
        {
            int wait = wheel.WaitFrom(_now);
            Assert.That(wait, Is.GreaterThanOrEqualTo(0));
            _now += TimeSpan.FromMilliseconds(wait);
            wheel.Advance(_now);
            wakes++;
            Assert.That(_now, Is.LessThanOrEqualTo(deadline + NaiveTimers.Latest));
        }

        Assert.That(_now, Is.GreaterThanOrEqualTo(deadline));

        // At most one for each level, and one for each time that a deadline beyond the wheel's 37 hours comes round.
        Assert.That(wakes, Is.LessThanOrEqualTo(5 + (int)(ahead / 100_000_000)));
    }

    [Test]
    public void Without_a_timer_there_is_no_end_to_the_wait()
    {
        var wheel = new TimerWheel(_now, _ => Assert.Fail("nothing is set"));
        Assert.That(wheel.WaitFrom(_now), Is.EqualTo(-1));

        wheel.Set(0, _now + TimeSpan.FromSeconds(1));
        wheel.Set(0, Instant.Never);
        Assert.That(wheel.WaitFrom(_now), Is.EqualTo(-1));
        _now += TimeSpan.FromDays(1);
        wheel.Advance(_now);
    }

    [Test]
    public void A_timer_that_is_due_already_leaves_no_wait()
    {
        var wheel = new TimerWheel(_now, _ => { });
        wheel.Set(0, _now);

        Assert.That(wheel.WaitFrom(_now + TimeSpan.FromMinutes(1)), Is.Zero);
    }

    [Test]
    public void Of_two_that_are_due_together_one_may_cancel_the_other()
    {
        TimerWheel? wheel = null;
        wheel = new TimerWheel(_now, index =>
        {
            _fired++;
            wheel!.Cancel(1 - index);
        });
        wheel.Set(0, _now);
        wheel.Set(1, _now);
        wheel.Advance(_now + TimeSpan.FromSeconds(1));

        Assert.That(_fired, Is.EqualTo(1));
    }

    private static TimeSpan Span(Random random)
    {
        TimeSpan scale = NaiveTimers.Scales[random.Next(NaiveTimers.Scales.Length)];
        return new TimeSpan(random.NextInt64(scale.Ticks + 1));
    }

    /// <summary>One step of a run, as FsCheck draws it.</summary>
    public sealed record Step(byte Kind, byte Timer, byte Scale, byte Percent);
}
