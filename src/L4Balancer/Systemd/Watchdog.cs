using System.Globalization;
using L4Balancer.Core.Config;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Systemd;

/// <summary>
/// Pings systemd's watchdog (sd_watchdog_enabled(3)) at a third of its timeout, but only while every event loop has finished an iteration
/// since the last ping: if one hangs, no ping is sent, and systemd ends the process and restarts it.
/// </summary>
internal sealed class Watchdog : IAsyncDisposable
{
    private readonly ServiceNotifications _systemd;
    private readonly Func<Task> _turn;
    private readonly TimeSpan _time;
    private readonly ILogger _log;
    private readonly TimeProvider _clock;
    private readonly PeriodicTimer _timer;
    private readonly Task _working;

    /// <param name="turn">Completes when every event loop has finished an iteration.</param>
    /// <param name="time">The watchdog's timeout: without a ping for this long, systemd ends the process.</param>
    public Watchdog(ServiceNotifications systemd, Func<Task> turn, TimeSpan time, TimeProvider clock, ILogger<Watchdog> log)
    {
        _systemd = systemd;
        _turn = turn;
        _time = time;
        _log = log;
        _clock = clock;
        _timer = new PeriodicTimer(time / 3, clock);
        _working = WorkAsync();
    }

    /// <returns>Null if no watchdog is set for this process.</returns>
    public static TimeSpan? TimeFrom(Func<string, string?> variable, int process)
    {
        string? meant = variable("WATCHDOG_PID");
        bool ours = string.IsNullOrEmpty(meant) || meant == process.ToString(CultureInfo.InvariantCulture);

        // A timeout above a day is of no use, and a timer has an upper bound too.
        return ours && long.TryParse(variable("WATCHDOG_USEC"), NumberStyles.None, CultureInfo.InvariantCulture, out long microseconds)
            && microseconds is >= 1000 and <= 86_400_000_000
            ? TimeSpan.FromMicroseconds(microseconds)
            : null;
    }

    public async ValueTask DisposeAsync()
    {
        _timer.Dispose();
        await _working;
    }

    private async Task WorkAsync()
    {
        _systemd.Watchdog();
        Task turning = _turn();
        long asked = _clock.GetTimestamp();
        bool told = false;
        while (await _timer.WaitForNextTickAsync())
        {
            if (turning.IsCompletedSuccessfully)
            {
                _systemd.Watchdog();
                turning = _turn();
                asked = _clock.GetTimestamp();
                told = false;
            }
            else if (!told)
            {
                _log.LoopHangs(Duration.Format(TimeSpan.FromSeconds(Math.Round(_clock.GetElapsedTime(asked).TotalSeconds))), Duration.Format(_time));
                told = true;
            }
        }
    }
}
