using Microsoft.Extensions.Time.Testing;

namespace L4Balancer.Tests.Shared;

/// <summary>
/// A <see cref="FakeTimeProvider"/> for what that one does not show: when the next timer is due, that a timer has been set, and what
/// happens when the time is read or a timer is made. A timer that is due in no time fires when the time moves on, as it would on
/// another thread, and not in the call that sets it. Any thread may call.
/// </summary>
internal sealed class TestClock() : FakeTimeProvider(Begin)
{
    /// <summary>Early, because spans of time are computed as doubles: in the year 2000 they are some microseconds off.</summary>
    private static readonly DateTimeOffset Begin = new(TimeSpan.TicksPerDay, TimeSpan.Zero);

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly object _gate = new();
    private readonly List<Timer> _timers = [];
    private int _armed;

    /// <summary>Called where a timer is made.</summary>
    public Action TimerMade { get; set; } = static () => { };

    /// <summary>Called where somebody asks for the time, before the answer.</summary>
    public Action Asked { get; set; } = static () => { };

    public TimeSpan Elapsed => GetUtcNow() - Start;

    /// <summary>When the next timer is due.</summary>
    public TimeSpan NextDue
    {
        get
        {
            lock (_gate)
            {
                return _timers.Min(t => t.DueAt);
            }
        }
    }

    public override long GetTimestamp()
    {
        Asked();
        return base.GetTimestamp();
    }

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new Timer(this, callback, state);
        lock (_gate)
        {
            _timers.Add(timer);
        }

        timer.Change(dueTime, period);
        TimerMade();
        return timer;
    }

    /// <summary>Moves on, and fires what is due then.</summary>
    /// <param name="time">Since the start.</param>
    public void AdvanceTo(TimeSpan time) => Advance(time - Elapsed);

    /// <summary>Forgets that timers were set, so that <see cref="WaitUntilArmed"/> waits for a later setting.</summary>
    public void ForgetArmed()
    {
        lock (_gate)
        {
            _armed = 0;
        }
    }

    /// <summary>Waits until a timer has been set, and takes note of it.</summary>
    /// <returns>When the next timer is due.</returns>
    public TimeSpan WaitUntilArmed()
    {
        long start = System.GetTimestamp();
        lock (_gate)
        {
            while (_armed == 0)
            {
                TimeSpan left = Patience - System.GetElapsedTime(start);
                Assert.That(left > TimeSpan.Zero && Monitor.Wait(_gate, left), "No timer was set in time.");
            }

            _armed--;
            return NextDue;
        }
    }

    private ITimer CreateInner(TimerCallback callback) =>
        base.CreateTimer(callback, null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);

    private sealed class Timer : ITimer
    {
        private readonly TestClock _clock;
        private readonly ITimer _inner;
        private TimeSpan _period;

        public Timer(TestClock clock, TimerCallback callback, object? state)
        {
            _clock = clock;
            _inner = clock.CreateInner(_ =>
            {
                Fires();
                callback(state);
            });
        }

        public TimeSpan DueAt { get; private set; } = TimeSpan.MaxValue;

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            bool isSet = dueTime != Timeout.InfiniteTimeSpan;
            TimeSpan due = dueTime == TimeSpan.Zero ? TimeSpan.FromTicks(1) : dueTime;

            // The inner timer is set before the timer becomes visible to a test, which could then move the time.
            lock (_clock._gate)
            {
                _period = period;
                DueAt = isSet ? _clock.Elapsed + due : TimeSpan.MaxValue;
                bool changed = _inner.Change(due, period);
                if (isSet)
                {
                    _clock._armed++;
                    Monitor.PulseAll(_clock._gate);
                }

                return changed;
            }
        }

        public void Dispose()
        {
            _inner.Dispose();
            lock (_clock._gate)
            {
                _clock._timers.Remove(this);
            }
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }

        private void Fires()
        {
            lock (_clock._gate)
            {
                DueAt = _period > TimeSpan.Zero ? DueAt + _period : TimeSpan.MaxValue;
            }
        }
    }
}
