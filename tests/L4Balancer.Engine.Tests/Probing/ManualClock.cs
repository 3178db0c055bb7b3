namespace L4Balancer.Engine.Tests.Probing;

/// <summary>A clock that stands until a test moves it, with one-shot timers. Any thread may call.</summary>
internal sealed class ManualClock : TimeProvider
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly object _gate = new();
    private readonly List<OneShot> _timers = [];
    private long _ticks;
    private int _armed;

    public TimeSpan Elapsed => new(Volatile.Read(ref _ticks));

    /// <summary>When the next timer is due.</summary>
    public TimeSpan NextDue
    {
        get
        {
            lock (_gate)
            {
                return new TimeSpan(_timers.Min(t => t.DueAt));
            }
        }
    }

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp() => Volatile.Read(ref _ticks);

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new OneShot(this, callback, state);
        lock (_gate)
        {
            _timers.Add(timer);
        }

        timer.Change(dueTime, period);
        return timer;
    }

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

    /// <summary>Moves on, and fires what is due then.</summary>
    public void AdvanceTo(TimeSpan time)
    {
        OneShot[] due;
        lock (_gate)
        {
            Volatile.Write(ref _ticks, time.Ticks);
            due = [.. _timers.Where(t => t.DueAt <= time.Ticks)];
            foreach (OneShot timer in due)
            {
                timer.DueAt = long.MaxValue;
            }
        }

        foreach (OneShot timer in due)
        {
            timer.Callback(timer.State);
        }
    }

    private sealed class OneShot(ManualClock clock, TimerCallback callback, object? state) : ITimer
    {
        public TimerCallback Callback { get; } = callback;

        public object? State { get; } = state;

        public long DueAt { get; set; } = long.MaxValue;

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            if (period != Timeout.InfiniteTimeSpan)
            {
                throw new NotSupportedException("One-shot timers only.");
            }

            lock (clock._gate)
            {
                DueAt = long.MaxValue;
                if (dueTime != Timeout.InfiniteTimeSpan)
                {
                    DueAt = clock._ticks + dueTime.Ticks;
                    clock._armed++;
                    Monitor.PulseAll(clock._gate);
                }
            }

            return true;
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
