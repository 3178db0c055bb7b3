namespace L4Balancer.Systemd;

/// <summary>
/// While the daemon stops within its configured time, repeatedly asks systemd to extend the timeout (EXTEND_TIMEOUT_USEC, sd_notify(3)), so
/// that TimeoutStopSec need not match shutdown_delay and shutdown_grace. A stop that takes longer than they allow gets no more time.
/// </summary>
internal sealed class StopExtension : IAsyncDisposable
{
    private static readonly TimeSpan Each = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Between = TimeSpan.FromSeconds(10);

    /// <summary>Extra time for the orderly close of the last connections (5 s), probes and logs.</summary>
    private static readonly TimeSpan Margin = TimeSpan.FromSeconds(15);

    private readonly ServiceNotifications _systemd;
    private readonly TimeProvider _clock;
    private PeriodicTimer? _timer;
    private Task _working = Task.CompletedTask;

    public StopExtension(ServiceNotifications systemd, TimeProvider clock)
    {
        _systemd = systemd;
        _clock = clock;
    }

    /// <summary>The daemon begins to stop. Called once.</summary>
    /// <param name="most">How long the stop may take according to the configuration.</param>
    public void Begin(TimeSpan most)
    {
        _timer = new PeriodicTimer(Between, _clock);
        _working = WorkAsync(_timer, most + Margin);
    }

    public async ValueTask DisposeAsync()
    {
        _timer?.Dispose();
        await _working;
    }

    private async Task WorkAsync(PeriodicTimer timer, TimeSpan most)
    {
        long begun = _clock.GetTimestamp();
        do
        {
            TimeSpan left = most - _clock.GetElapsedTime(begun);
            if (left <= TimeSpan.Zero)
            {
                return;
            }

            _systemd.ExtendTimeout(left < Each ? left : Each);
        }
        while (await timer.WaitForNextTickAsync());
    }
}
