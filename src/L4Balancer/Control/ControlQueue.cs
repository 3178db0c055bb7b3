using System.Threading.Channels;
using L4Balancer.Engine.Probing;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Control;

/// <summary>
/// What makes the one writer one: reports and changes from any thread are taken one at a time, in the order in which they came.
/// </summary>
internal sealed class ControlQueue : IAsyncDisposable
{
    // Unbounded in form only: there is at most one report per backend and interval, and changes come from people.
    private readonly Channel<Entry> _entries = Channel.CreateUnbounded<Entry>(new UnboundedChannelOptions { SingleReader = true });
    private readonly Action<ProbeReport> _take;
    private readonly ILogger _log;
    private readonly Task _working;

    /// <param name="take">What to do with a report.</param>
    public ControlQueue(Action<ProbeReport> take, ILogger log)
    {
        _take = take;
        _log = log;
        _working = WorkAsync();
    }

    /// <summary>Any thread; never blocks.</summary>
    public void Report(ProbeReport report) => _entries.Writer.TryWrite(new Entry(report, null));

    /// <summary>Any thread; never blocks. Nobody waits for it, and it must not throw.</summary>
    public void Post(Action change) => _entries.Writer.TryWrite(new Entry(default, change));

    /// <summary>Any thread but the queue's own.</summary>
    /// <returns>What the change answered.</returns>
    /// <exception cref="ObjectDisposedException">The daemon is at its end.</exception>
    public async Task<T> RunAsync<T>(Func<T> change)
    {
        var done = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        bool queued = _entries.Writer.TryWrite(new Entry(default, () =>
        {
            try
            {
                done.SetResult(change());
            }
            catch (Exception e)
            {
                done.SetException(e);
            }
        }));
        ObjectDisposedException.ThrowIf(!queued, this);
        return await done.Task;
    }

    /// <summary>Takes what is queued and ends.</summary>
    public async ValueTask DisposeAsync()
    {
        _entries.Writer.TryComplete();
        await _working;
    }

    private async Task WorkAsync()
    {
        await foreach (Entry entry in _entries.Reader.ReadAllAsync())
        {
            try
            {
                if (entry.Change is not null)
                {
                    entry.Change();
                }
                else
                {
                    _take(entry.Report);
                }
            }
            catch (Exception e) when (entry.Change is null)
            {
                // A fault of ours about one backend must not freeze the health of all others.
                _log.ReportFailed(e);
            }
            catch (Exception e)
            {
                _log.ChangeFailed(e);
            }
        }
    }

    private readonly record struct Entry(ProbeReport Report, Action? Change);
}
