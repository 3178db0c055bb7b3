using Microsoft.Extensions.Logging;

namespace L4Balancer.Hosting;

/// <summary>
/// Runs an action periodically on the thread pool, one run at a time; a run that takes longer than the interval delays the next. If a run
/// throws, the exception is logged and the job continues: a shortage of memory or descriptors may pass.
/// </summary>
internal sealed class PeriodicJob : IAsyncDisposable
{
    private readonly PeriodicTimer _timer;
    private readonly Task _running;

    /// <param name="name">The action, for the log: a noun phrase.</param>
    public PeriodicJob(string name, TimeSpan interval, TimeProvider clock, ILogger log, Action action)
    {
        _timer = new PeriodicTimer(interval, clock);
        _running = RunAsync(name, log, action);
    }

    /// <summary>Completes when the current run has ended; no other follows.</summary>
    public async ValueTask DisposeAsync()
    {
        _timer.Dispose();
        await _running;
    }

    private async Task RunAsync(string name, ILogger log, Action action)
    {
        while (await _timer.WaitForNextTickAsync())
        {
            try
            {
                action();
            }
            catch (Exception e)
            {
                log.PeriodicJobFailed(name, e);
            }
        }
    }
}
