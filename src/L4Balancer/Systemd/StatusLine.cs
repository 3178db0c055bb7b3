namespace L4Balancer.Systemd;

/// <summary>
/// Keeps what <c>systemctl status</c> shows up to date, at most once a second: the line is worked out over all backends, and when a data
/// centre goes they change by the thousand. Any thread.
/// </summary>
internal sealed class StatusLine : IAsyncDisposable
{
    internal static readonly TimeSpan Between = TimeSpan.FromSeconds(1);

    private readonly Lock _gate = new();
    private readonly Action _write;
    private readonly ITimer _timer;
    private bool _waits;
    private bool _isStale;

    /// <param name="write">Works the line out and tells it.</param>
    public StatusLine(Action write, TimeProvider clock)
    {
        _write = write;
        _timer = clock.CreateTimer(_ => Tick(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Something that it shows has changed. Never blocks: who reads the line may be slow, and it is written by the timer.</summary>
    public void Change()
    {
        lock (_gate)
        {
            _isStale = true;
            if (_waits)
            {
                return;
            }

            _waits = true;
        }

        _timer.Change(TimeSpan.Zero, Timeout.InfiniteTimeSpan);
    }

    public ValueTask DisposeAsync() => _timer.DisposeAsync();

    // What changes while it is being written is written a second later.
    private void Tick()
    {
        lock (_gate)
        {
            _waits = _isStale;
            if (!_isStale)
            {
                return;
            }

            _isStale = false;
        }

        _write();
        _timer.Change(Between, Timeout.InfiniteTimeSpan);
    }
}
