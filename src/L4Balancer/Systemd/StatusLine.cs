namespace L4Balancer.Systemd;

/// <summary>
/// Updates the line that <c>systemctl status</c> shows, at most once a second: it is computed over all backends, and when a data centre
/// fails thousands of them change. Any thread.
/// </summary>
internal sealed class StatusLine : IAsyncDisposable
{
    internal static readonly TimeSpan Between = TimeSpan.FromSeconds(1);

    private readonly Lock _gate = new();
    private readonly Action _write;
    private readonly ITimer _timer;
    private bool _waits;
    private bool _isStale;

    /// <param name="write">Computes the line and sends it.</param>
    public StatusLine(Action write, TimeProvider clock)
    {
        _write = write;
        _timer = clock.CreateTimer(_ => Tick(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>The content of the line has changed. Never blocks: the reader of the line may be slow, so a timer writes it.</summary>
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

    // A change during the write is written a second later.
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
