using L4Balancer.Core.Timing;
using L4Balancer.Engine.Epoll;

namespace L4Balancer.Engine.Tests.Epoll;

/// <summary>The wheel against a list of deadlines that is searched from end to end.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class TimerWheelTests
{
    /// <summary>The worst lateness that the wheel promises: two ticks of 8 ms.</summary>
    private static readonly TimeSpan Latest = TimeSpan.FromMilliseconds(16);

    /// <summary>Each span of time is drawn from one of these, so that every level and what lies beyond them is met.</summary>
    private static readonly TimeSpan[] Scales =
    [
        TimeSpan.FromMilliseconds(1), TimeSpan.FromMilliseconds(20), TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(1), TimeSpan.FromHours(1),
        TimeSpan.FromDays(2), TimeSpan.FromDays(9),
    ];

    private readonly Dictionary<int, Instant> _deadlines = [];
    private Instant _now = new(TimeSpan.FromHours(1).Ticks + 12_345);
    private int _fired;

    [Test]
    public void It_fires_what_a_naive_list_would_never_early_and_at_most_two_ticks_late([Values(1, 2, 3, 4, 5, 6)] int seed)
    {
        const int timers = 700;
        var random = new Random(seed);
        TimerWheel? wheel = null;
        wheel = new TimerWheel(_now, index =>
        {
            Fired(index);
            int other = random.Next(timers);
            switch (random.Next(4))
            {
                case 0:
                    Set(wheel!, other, _now + Span(random) + TimeSpan.FromMilliseconds(1));
                    break;
                case 1:
                    Cancel(wheel!, other);
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
                    Cancel(wheel, index);
                    break;
                case 1:
                    Set(wheel, index, _now + -Span(random));
                    break;
                case < 6:
                    Set(wheel, index, _now + Span(random));
                    break;
                default:
                    _now += Span(random);
                    wheel.Advance(_now);
                    AssertNothingIsOverdue();
                    break;
            }

            AssertWaitEndsInTime(wheel);
        }

        TestContext.Out.WriteLine($"{_fired} timers fired");
        Assert.That(_fired, Is.GreaterThan(1000), "the run was about something");
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
            Assert.That(_now, Is.LessThanOrEqualTo(deadline + Latest));
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
        TimeSpan scale = Scales[random.Next(Scales.Length)];
        return new TimeSpan(random.NextInt64(scale.Ticks + 1));
    }

    private void Set(TimerWheel wheel, int index, Instant deadline)
    {
        wheel.Set(index, deadline);

        // What is due already is due now.
        _deadlines[index] = deadline < _now ? _now : deadline;
    }

    private void Cancel(TimerWheel wheel, int index)
    {
        wheel.Cancel(index);
        _deadlines.Remove(index);
    }

    private void Fired(int index)
    {
        _fired++;
        Assert.That(_deadlines.Remove(index, out Instant deadline), Is.True, "a timer that is set");
        Assert.That(deadline, Is.LessThanOrEqualTo(_now), "not early");
    }

    private void AssertNothingIsOverdue()
    {
        foreach ((int index, Instant deadline) in _deadlines)
        {
            if (deadline + Latest <= _now)
            {
                Assert.Fail($"timer {index} should have fired {(_now - deadline).TotalMilliseconds} ms ago");
            }
        }
    }

    private void AssertWaitEndsInTime(TimerWheel wheel)
    {
        int wait = wheel.WaitFrom(_now);
        if (_deadlines.Count == 0)
        {
            Assert.That(wait, Is.EqualTo(-1));
            return;
        }

        Instant earliest = _deadlines.Values.Min();
        Assert.That(wait, Is.GreaterThanOrEqualTo(0));
        Assert.That(_now + TimeSpan.FromMilliseconds(wait), Is.LessThanOrEqualTo(earliest + Latest));
    }
}
