using L4Balancer.Engine;
using Microsoft.Extensions.Logging;

namespace L4Balancer.AccessLog;

/// <summary>
/// Asks the engine at intervals to report its living connections, for <c>access_log_every</c>: each time spread over half of the interval.
/// Any thread.
/// </summary>
internal sealed class LivingLines : IAsyncDisposable
{
    private readonly Lock _gate = new();
    private readonly IEngine _engine;
    private readonly TimeProvider _clock;
    private readonly ILogger _log;
    private CancellationTokenSource _stop = new();
    private TimeSpan _interval;
    private Task _running = Task.CompletedTask;

    /// <param name="interval">Zero: never.</param>
    public LivingLines(IEngine engine, TimeSpan interval, TimeProvider clock, ILogger<LivingLines> log)
    {
        _engine = engine;
        _clock = clock;
        _log = log;
        Apply(interval);
    }

    /// <summary>Applies a changed interval; the first reports follow after it.</summary>
    public void Apply(TimeSpan interval)
    {
        lock (_gate)
        {
            if (interval == _interval || _stop.IsCancellationRequested)
            {
                return;
            }

            _interval = interval;
            _stop.Cancel();
            _stop.Dispose();
            _stop = new CancellationTokenSource();
            _running = RunAsync(_running, interval, _stop.Token);
        }
    }

    /// <summary>Completes when no report is under way; none follows.</summary>
    public async ValueTask DisposeAsync()
    {
        Task running;
        lock (_gate)
        {
            _stop.Cancel();
            running = _running;
        }

        await running;
        _stop.Dispose();
    }

    private async Task RunAsync(Task before, TimeSpan interval, CancellationToken stop)
    {
        await before;
        if (interval == TimeSpan.Zero)
        {
            return;
        }

        using var timer = new PeriodicTimer(interval, _clock);
        try
        {
            while (await timer.WaitForNextTickAsync(stop))
            {
                await ReportAsync(interval / 2, stop);
            }
        }
        catch (OperationCanceledException)
        {
            // The interval has changed, or the daemon ends.
        }
    }

    private async Task ReportAsync(TimeSpan over, CancellationToken stop)
    {
        try
        {
            await _engine.ReportLivingAsync(over, stop);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            // A shortage of memory may pass.
            _log.PeriodicJobFailed("the report of living connections", e);
        }
    }
}
