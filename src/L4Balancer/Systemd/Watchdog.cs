using System.Globalization;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Systemd;

/// <summary>
/// Answers systemd's watchdog (sd_watchdog_enabled(3)) at a third of its time, but only while every event loop has turned since the
/// last answer: where one hangs, systemd hears nothing, ends the process and starts it again.
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

    /// <param name="turn">Done when every event loop has turned.</param>
    /// <param name="time">After so long without an answer systemd ends the process.</param>
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

    /// <returns>Null where no watchdog watches this process.</returns>
    public static TimeSpan? TimeFrom(Func<string, string?> variable, int process)
    {
        string? meant = variable("WATCHDOG_PID");
        bool ours = string.IsNullOrEmpty(meant) || meant == process.ToString(CultureInfo.InvariantCulture);

        // Above a day it guards nothing, and a timer has its bound too.
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
                _log.LoopHangs(_clock.GetElapsedTime(asked), _time);
                told = true;
            }
        }
    }
}
