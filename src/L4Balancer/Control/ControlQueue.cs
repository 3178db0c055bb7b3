using System.Threading.Channels;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Control;

/// <summary>Changes from any thread, applied one at a time in the order in which they were posted.</summary>
internal sealed class ControlQueue(ILogger log) : IAsyncDisposable
{
    // Unbounded in form only: there is at most one report per backend and interval, and requests come from people.
    private readonly Channel<Change> _changes = Channel.CreateUnbounded<Change>(new UnboundedChannelOptions { SingleReader = true });
    private Task _applying = Task.CompletedTask;

    /// <summary>Any thread; never blocks. What is posted after the end is dropped.</summary>
    public void Post(Change change) => _changes.Writer.TryWrite(change);

    /// <summary>Any thread except the one that applies changes, which would wait for itself.</summary>
    /// <exception cref="ObjectDisposedException">The daemon stops.</exception>
    public async Task<T> AskAsync<T>(Request<T> request)
    {
        ObjectDisposedException.ThrowIf(!_changes.Writer.TryWrite(request), this);
        return await request.Result;
    }

    /// <summary>Begins to apply changes, those posted before included. Called once.</summary>
    /// <param name="apply">An exception of it fails the request or is logged; the next change is applied all the same.</param>
    public void Start(Action<Change> apply) => _applying = Task.Run(() => ApplyAllAsync(apply));

    /// <summary>Applies what has been posted, and ends.</summary>
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
                // The caller of the request has it.
            }
            catch (Exception e) when (change is ProbeReported)
            {
                // A fault in handling one backend must not freeze the health of all others.
                log.ReportFailed(e);
            }
            catch (Exception e)
            {
                log.ChangeFailed(e);
            }
        }
    }
}
