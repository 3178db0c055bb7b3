using L4Balancer.Core.Timing;
using L4Balancer.Engine.Epoll;
using L4Balancer.Engine.Loop;

namespace L4Balancer.Engine.Tests.Loop;

/// <summary>A wheel, and beside it a list of the same deadlines that is searched from end to end; both get every step.</summary>
internal sealed class NaiveTimers
{
    /// <summary>The worst lateness that the wheel promises: two ticks of 8 ms.</summary>
    public static readonly TimeSpan Latest = TimeSpan.FromMilliseconds(16);

    /// <summary>Each span of time is drawn from one of these, so that every level and what lies beyond them is met.</summary>
    public static readonly TimeSpan[] Scales =
    [
        TimeSpan.FromMilliseconds(1), TimeSpan.FromMilliseconds(20), TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(1), TimeSpan.FromHours(1),
        TimeSpan.FromDays(2), TimeSpan.FromDays(9),
    ];

    private readonly TimerWheel _wheel;
    private readonly Dictionary<int, Instant> _deadlines = [];
    private Instant _now;

    /// <param name="whenFired">What else happens while the wheel fires.</param>
    public NaiveTimers(Instant now, Action whenFired)
    {
        _now = now;
        _wheel = new TimerWheel(now, index =>
        {
            Fire(index);
            whenFired();
        });
    }

    /// <summary>How many timers have fired.</summary>
    public int Fired { get; private set; }

    public void Set(int index, TimeSpan ahead)
    {
        Instant deadline = _now + ahead;
        _wheel.Set(index, deadline);

        // What is due already is due now.
        _deadlines[index] = deadline < _now ? _now : deadline;
    }

    public void Cancel(int index)
    {
        _wheel.Cancel(index);
        _deadlines.Remove(index);
    }

    /// <summary>Time passes; afterwards no timer is overdue.</summary>
    public void Advance(TimeSpan span)
    {
        _now += span;
        _wheel.Advance(_now);
        foreach ((int index, Instant deadline) in _deadlines)
        {
            if (deadline + Latest <= _now)
            {
                Assert.Fail($"timer {index} should have fired {(_now - deadline).TotalMilliseconds} ms ago");
            }
        }
    }

    /// <summary>The wheel lets its loop sleep until the earliest deadline at most.</summary>
    public void AssertWaitEndsInTime()
    {
        int wait = _wheel.WaitFrom(_now);
        if (_deadlines.Count == 0)
        {
            Assert.That(wait, Is.EqualTo(-1));
            return;
        }

        Instant earliest = _deadlines.Values.Min();
        Assert.That(wait, Is.GreaterThanOrEqualTo(0));
        Assert.That(_now + TimeSpan.FromMilliseconds(wait), Is.LessThanOrEqualTo(earliest + Latest));
    }

    private void Fire(int index)
    {
        Fired++;
        Assert.That(_deadlines.Remove(index, out Instant deadline), Is.True, "a timer that is set");
        Assert.That(deadline, Is.LessThanOrEqualTo(_now), "not early");
    }
}
