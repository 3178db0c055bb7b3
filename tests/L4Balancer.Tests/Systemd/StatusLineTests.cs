using L4Balancer.Systemd;

namespace L4Balancer.Tests.Systemd;

internal sealed class StatusLineTests
{
    [Test]
    public async Task Ten_thousand_changes_at_once_are_written_once_by_the_timer_and_the_last_of_them_is_in_it()
    {
        var clock = new SteppedClock();
        int changes = 0;
        List<int> written = [];
        await using var line = new StatusLine(() => written.Add(changes), clock);
        while (changes < 10_000)
        {
            changes++;
            line.Change();
        }

        Assert.That(written, Is.Empty, "whoever changes something does not wait for who reads it");
        clock.Pass(TimeSpan.Zero);
        Assert.That(written, Is.EqualTo(new[] { 10_000 }), "and it is not held back");
        line.Change();
        clock.Pass(StatusLine.Between - TimeSpan.FromTicks(1));
        Assert.That(written, Has.Count.EqualTo(1));
        clock.Pass(TimeSpan.FromTicks(1));
        Assert.That(written, Has.Count.EqualTo(2));
        clock.Pass(StatusLine.Between);
        clock.Pass(StatusLine.Between);
        Assert.That(written, Has.Count.EqualTo(2), "nothing has changed");

        line.Change();
        clock.Pass(TimeSpan.Zero);
        Assert.That(written, Has.Count.EqualTo(3), "after a pause it is written at once");
    }

    [Test]
    public async Task A_change_every_moment_is_written_once_a_second()
    {
        var clock = new SteppedClock();
        int written = 0;
        await using var line = new StatusLine(() => written++, clock);
        for (int i = 0; i < 1000; i++)
        {
            line.Change();
            clock.Pass(TimeSpan.FromMilliseconds(10));
        }

        Assert.That(written, Is.InRange(10, 11));
    }

    /// <summary>One timer, which comes when a test has let its time pass.</summary>
    private sealed class SteppedClock : TimeProvider
    {
        private readonly List<SteppedTimer> _timers = [];
        private TimeSpan _now;

        public void Pass(TimeSpan time)
        {
            _now += time;
            _timers.ForEach(t => t.ComeBy(_now));
        }

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            var timer = new SteppedTimer(() => _now, () => callback(state));
            _timers.Add(timer);
            return timer;
        }
    }

    private sealed class SteppedTimer(Func<TimeSpan> now, Action callback) : ITimer
    {
        private TimeSpan _due = TimeSpan.MaxValue;

        public void ComeBy(TimeSpan time)
        {
            if (_due <= time)
            {
                _due = TimeSpan.MaxValue;
                callback();
            }
        }

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            _due = now() + dueTime;
            return true;
        }

        public void Dispose() => _due = TimeSpan.MaxValue;

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
