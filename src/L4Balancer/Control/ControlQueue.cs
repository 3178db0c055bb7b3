using System.Threading.Channels;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Control;

/// <summary>Changes from any thread, applied one at a time in the order in which they were posted.</summary>
internal sealed class ControlQueue(ILogger log) : IAsyncDisposable
{
    // The channel is unbounded, but there is at most one report per backend and interval, and people make the requests.
    private readonly Channel<Change> _changes = Channel.CreateUnbounded<Change>(new UnboundedChannelOptions { SingleReader = true });
    private Task _applying = Task.CompletedTask;

    /// <summary>Any thread; never blocks. Changes posted after the end are dropped.</summary>
    public void Post(Change change) => _changes.Writer.TryWrite(change);

    /// <summary>Any thread except the one that applies changes, which would deadlock.</summary>
    /// <exception cref="ObjectDisposedException">The daemon is stopping.</exception>
    public async Task<T> AskAsync<T>(Request<T> request)
    {
        ObjectDisposedException.ThrowIf(!_changes.Writer.TryWrite(request), this);
        return await request.Result;
    }

    /// <summary>Begins to apply changes, including those posted before. Called once.</summary>
    /// <param name="apply">If it throws, the request fails or the exception is logged; the next change is applied all the same.</param>
    public void Start(Action<Change> apply) => _applying = Task.Run(() => ApplyAllAsync(apply));

    /// <summary>Applies the changes that have been posted, and ends.</summary>
    public async ValueTask DisposeAsync()
    {
        _changes.Writer.TryComplete();
        await _applying;
    }

    private async Task ApplyAllAsync(Action<Change> apply)
    {
        await foreach (Change change in _changes.Reader.ReadAllAsync())
        {
            try
            {
                apply(change);
            }
            catch (Exception e) when (change.TryFail(e))
            {
                // The exception was passed to the caller of the request.
            }
            catch (Exception e) when (change is ProbeReported)
            {
                // A fault in handling one backend must not stop the health updates of all others.
                log.ReportFailed(e);
            }
            catch (Exception e)
            {
                log.ChangeFailed(e);
            }
        }
    }
}
