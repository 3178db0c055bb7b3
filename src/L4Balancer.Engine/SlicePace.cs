using L4Balancer.Core.Timing;

namespace L4Balancer.Engine;

/// <summary>Spreads the slices of a walk over all connections evenly over a time. One caller at a time.</summary>
/// <param name="over">The time that the whole walk takes at least.</param>
/// <param name="total">How many connections there are at its start.</param>
internal sealed class SlicePace(TimeSpan over, int total, TimeProvider clock)
{
    /// <summary>Connections in a slice: some tens of microseconds of the thread that serves them.</summary>
    public const int Slice = 256;

    /// <summary>A timer is not more exact than this.</summary>
    private static readonly TimeSpan ShortestWait = TimeSpan.FromMilliseconds(10);

    private readonly Instant _start = Instant.Now(clock);
    private int _done;

    /// <summary>Waits until it is time for the next slice.</summary>
    /// <param name="count">Connections of the slice that has ended.</param>
    public async ValueTask WaitAfterAsync(int count, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        _done += count;
        TimeSpan due = over * Math.Min(1, (double)_done / Math.Max(1, total));
        TimeSpan wait = due - (Instant.Now(clock) - _start);
        if (wait >= ShortestWait)
        {
            await Task.Delay(wait, clock, cancel).ConfigureAwait(false);
        }
    }
}
