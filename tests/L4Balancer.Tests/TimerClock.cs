namespace L4Balancer.Tests;

/// <summary>A clock that stands until a test moves it, with timers. Any thread may call.</summary>
internal sealed class TimerClock : TimeProvider
{
    private readonly Lock _gate = new();
    private readonly List<Timer> _timers = [];
    private long _ticks = TimeSpan.TicksPerDay;

    /// <summary>Called where a timer is made.</summary>
    public Action TimerMade { get; set; } = static () => { };

    /// <summary>Called where somebody asks for the time, before the answer.</summary>
    public Action Asked { get; set; } = static () => { };

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp()
    {
        Asked();
        return Volatile.Read(ref _ticks);
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

    /// <summary>Moves on, and fires what is due by then.</summary>
    public void Pass(TimeSpan time)
    {
        Timer[] due;
        lock (_gate)
        {
            Volatile.Write(ref _ticks, _ticks + time.Ticks);
            due = [.. _timers.Where(t => t.DueAt <= _ticks)];
            Array.ForEach(due, t => t.DueAt = t.Period > TimeSpan.Zero ? t.DueAt + t.Period.Ticks : long.MaxValue);
        }

        Array.ForEach(due, t => t.Callback(t.State));
    }

    private sealed class Timer(TimerClock clock, TimerCallback callback, object? state) : ITimer
    {
        public TimerCallback Callback { get; } = callback;

        public object? State { get; } = state;

        public TimeSpan Period { get; private set; }

        public long DueAt { get; set; } = long.MaxValue;

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            lock (clock._gate)
            {
                Period = period;
                DueAt = dueTime == Timeout.InfiniteTimeSpan ? long.MaxValue : clock._ticks + dueTime.Ticks;
                return true;
            }
        }

        public void Dispose()
        {
            lock (clock._gate)
            {
                clock._timers.Remove(this);
            }
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
