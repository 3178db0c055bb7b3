using L4Balancer.Core.Accounting;
using L4Balancer.Core.Handover;
using L4Balancer.Core.Pacing;
using L4Balancer.Engine;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Control;

/// <summary>Closes all connections of one backend that is drained, down or removed.</summary>
internal sealed class BackendClose(Shedding shedding, CloseRate rate, RateLimiter limiter, IEngine engine, TimeProvider clock, ILogger log) : PacedClose
{
    /// <summary>How long to look for more: a connect that was under way when the drain began may still become a connection.</summary>
    private static readonly TimeSpan BetweenLooks = TimeSpan.FromMilliseconds(50);

    private readonly long _start = clock.GetTimestamp();

    public Shedding Shedding => shedding;

    /// <summary>What is left of it, for another process to go on with.</summary>
    public CarriedShed Carried => new(ShedKind.Backend)
    {
        Pool = shedding.State.Pool,
        Backend = shedding.State.Name,
        Address = shedding.State.Address,
        Reason = shedding.Reason,
        PerSecond = limiter == shedding.State.PoolState.Closing ? null : rate.PerSecond,
        Within = rate.After(clock.GetElapsedTime(_start)).Duration,
    };

    protected override async Task RunAsync()
    {
        (BackendState state, CloseReason reason, _) = shedding;
        bool more = true;
        while (more && !Stopped.IsCancellationRequested)
        {
            var order = new ShedOrder
            {
                Reason = reason,
                CloseRate = rate.After(clock.GetElapsedTime(_start)),
                RateLimiter = limiter,
                Quotas = new Dictionary<BackendState, int> { [state] = int.MaxValue },
            };
            more = await engine.ShedAsync(order, Stopped) > 0;
            if (state.Load > state.Active)
            {
                more = true;
                await Task.Delay(BetweenLooks, clock, Stopped).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }

        log.SheddingEnds(state.Pool, state.Name, shedding.Closed, reason.Name());
    }
}
