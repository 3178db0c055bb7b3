using System.Collections.Frozen;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Handover;
using L4Balancer.Core.Pacing;
using L4Balancer.Core.Routing;
using L4Balancer.Engine;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Control;

/// <summary>
/// Moves the backends of a pool to their fair shares: closes connections where there is a surplus, and steers new ones to backends below
/// their target, until there is no surplus any more.
/// </summary>
/// <param name="plan">The plan at the start.</param>
/// <param name="find">Finds the pool in the snapshot in force; null if it has left.</param>
/// <param name="before">The previous rebalance of this pool; this one begins when it has ended.</param>
internal sealed class Rebalance(
    PoolState state, RebalancePlan plan, double tolerance, CloseRate rate, RateLimiter limiter, Func<Pool?> find, Task before, IEngine engine,
    TimeProvider clock, ILogger log) : PacedClose
{
    /// <summary>The bound on the closes of all rounds together, as a multiple of the surplus or deficit at the start.</summary>
    private const double MostClosed = 1.2;

    private static readonly TimeSpan BetweenLooks = TimeSpan.FromMilliseconds(50);

    /// <summary>How long clients whose connection was closed have to reconnect, before the shares are computed again.</summary>
    private static readonly TimeSpan Return = TimeSpan.FromSeconds(5);

    // By backend; replaced as a whole by each round, because clients that return may cause a surplus that the first plan did not have.
    private volatile FrozenDictionary<BackendState, Shedding> _parts = PartsOf(plan);

    /// <summary>What is asked for, for another process to go on with: its surplus is planned anew.</summary>
    public CarriedShed Carried => new(ShedKind.Rebalance)
    {
        Pool = state.Name,
        Reason = CloseReason.Rebalance,
        Tolerance = tolerance,
        PerSecond = limiter == state.Closing ? null : rate.PerSecond,
    };

    /// <summary>How many connections are to be closed by what is planned now, those that are closed already included.</summary>
    public int Planned => _parts.Values.Sum(p => p.Planned);

    public long Closed => _parts.Values.Sum(p => p.Closed);

    /// <summary>Null if no connection of this backend is closed.</summary>
    public Shedding? Of(BackendState backend) => _parts.GetValueOrDefault(backend);

    /// <summary>Whether all backends with a target are among these.</summary>
    public bool CountsOnlyOn(IReadOnlyCollection<BackendState> backends) => plan.Targets.Keys.All(backends.Contains);

    protected override async Task RunAsync()
    {
        await before;

        // What the previous rebalance has closed meanwhile is not part of this one.
        _parts = PartsOf(plan);
        try
        {
            int closed = await CloseAsync();
            log.RebalanceEnds(state.Name, closed);
        }
        finally
        {
            state.Targets = null;
        }
    }

    private async Task<int> CloseAsync()
    {
        RebalancePlan next = plan;
        int most = (int)Math.Ceiling(MostClosed * Math.Max(plan.TotalSurplus, plan.TotalDeficit));
        int closed = 0;
        int last = 1;
        while (last > 0 && next.TotalSurplus > 0 && !Stopped.IsCancellationRequested && find() is Pool pool)
        {
            state.Targets = next.Targets;
            IReadOnlyDictionary<BackendState, int> quotas = next.AtMost(most - closed);
            _parts = WithQuotas(_parts, quotas);
            last = await engine.ShedAsync(OrderFor(pool, quotas), Stopped);
            closed += last;
            next = await NextPlanAsync(next);
        }

        return closed;
    }

    // If a client reconnects with the same key, the connections that would now be placed elsewhere anyway are closed first.
    private ShedOrder OrderFor(Pool pool, IReadOnlyDictionary<BackendState, int> quotas) => new()
    {
        Reason = CloseReason.Rebalance,
        CloseRate = rate,
        RateLimiter = limiter,
        Quotas = quotas,
        Rank = record => pool.HasMoved(record.Tuple, record.Backend!) ? 0 : 1,
    };

    private static FrozenDictionary<BackendState, Shedding> PartsOf(RebalancePlan plan) =>
        plan.Surplus.ToFrozenDictionary(s => s.Key, s => new Shedding(s.Key, CloseReason.Rebalance, s.Value));

    // What is planned is what has been closed and what this round is to close.
    private static FrozenDictionary<BackendState, Shedding> WithQuotas(
        FrozenDictionary<BackendState, Shedding> parts, IReadOnlyDictionary<BackendState, int> quotas)
    {
        Dictionary<BackendState, Shedding> next = [];
        foreach (BackendState backend in parts.Keys.Union(quotas.Keys))
        {
            Shedding part = parts.GetValueOrDefault(backend) ?? new Shedding(backend, CloseReason.Rebalance, 0);
            next.Add(backend, part with { Planned = (int)part.Closed + quotas.GetValueOrDefault(backend) });
        }

        return next.ToFrozenDictionary();
    }

    // Clients that reconnect are steered to backends below their target; connections that went elsewhere show in the next plan.
    private async Task<RebalancePlan> NextPlanAsync(RebalancePlan last)
    {
        long start = clock.GetTimestamp();
        RebalancePlan now = last;
        while (find() is Pool pool)
        {
            now = RebalancePlan.For(pool, tolerance, plan.Connections);
            bool areBack = RebalancePlan.For(pool, tolerance).Connections >= plan.Connections;
            if (areBack || Stopped.IsCancellationRequested || clock.GetElapsedTime(start) >= Return)
            {
                break;
            }

            await Task.Delay(BetweenLooks, clock, Stopped).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        return now;
    }
}
