using L4Balancer.Core.Accounting;
using L4Balancer.Core.Pacing;
using L4Balancer.Core.Timing;

namespace L4Balancer.Engine.Shedding;

/// <summary>Closes connections one after the other at the rate that Core determines, for every engine alike.</summary>
internal sealed class Shedder(IShedding engine, TimeProvider clock)
{
    /// <summary>A framework timer is limited to 49 days; longer waits are split.</summary>
    private static readonly TimeSpan LongestWait = TimeSpan.FromDays(1);

    /// <summary>Framework timers count whole milliseconds, and one of 0 would make the loop spin.</summary>
    private static readonly TimeSpan ShortestWait = TimeSpan.FromMilliseconds(1);

    /// <returns>How many it closed. Connections that ended by themselves do not count, and take up no time.</returns>
    public async Task<int> ShedAsync(ShedOrder order, CancellationToken stop)
    {
        List<ShedCandidate> all = await engine
            .FindAsync(order, backend => order.Quotas is null || order.Quotas.ContainsKey(backend)).ConfigureAwait(false);
        IReadOnlyList<ShedCandidate> chosen = Choosing.Choose(all, c => c.Backend, c => c.Rank, order.Quotas);
        int closed = 0;
        int gone = 0;
        Instant start = Instant.Now(clock);
        order.RateLimiter.Begin(start);
        for (int next = 0; next < chosen.Count && !stop.IsCancellationRequested;)
        {
            int left = chosen.Count - next;
            Instant now = Instant.Now(clock);
            int due = order.RateLimiter.Take(now, order.CloseRate.Between(left, now - start), left, out Instant again);
            int end = next + Math.Min(left, due + Interlocked.Exchange(ref gone, 0));
            for (; next < end; next++)
            {
                engine.Close(chosen[next], order.Reason, Told);
            }

            if (next < chosen.Count)
            {
                await WaitUntilAsync(again, stop).ConfigureAwait(false);
            }
        }

        await engine.PingLoopsAsync().ConfigureAwait(false);
        return Volatile.Read(ref closed);

        void Told(bool wasOpen) => Interlocked.Increment(ref wasOpen ? ref closed : ref gone);
    }

    /// <summary>Closes every connection evenly over the grace, when the engine stops; ends early once no connection is left.</summary>
    public async Task ShedUntilAsync(TimeSpan grace, Task empty, CancellationToken atOnce)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(atOnce);
        Task<int> shedding = ShedAsync(new ShedOrder { Reason = CloseReason.Shutdown, CloseRate = CloseRate.Within(grace) }, stop.Token);
        await Task.WhenAny(shedding, empty).ConfigureAwait(false);
        await stop.CancelAsync().ConfigureAwait(false);
        await shedding.ConfigureAwait(false);
    }

    // Rounded up to a whole millisecond, so that no connection is closed early.
    private async Task WaitUntilAsync(Instant due, CancellationToken stop)
    {
        TimeSpan left = due - Instant.Now(clock);
        TimeSpan wait = left < ShortestWait ? ShortestWait
            : left > LongestWait ? LongestWait
            : TimeSpan.FromMilliseconds(Math.Ceiling(left.TotalMilliseconds));
        await Task.Delay(wait, clock, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }
}
