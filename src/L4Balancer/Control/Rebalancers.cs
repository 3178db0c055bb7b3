using System.Collections.Concurrent;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Pacing;
using L4Balancer.Core.Routing;
using L4Balancer.Engine;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Control;

/// <summary>
/// Brings the backends of a pool to their fair shares: sheds the surplus, and steers what comes to where it is missing, until nothing is
/// in surplus any more. At most one rebalance a pool. Only the one writer starts and stops.
/// </summary>
/// <param name="snapshot">The one in force.</param>
internal sealed class Rebalancers(IEngine engine, Func<RoutingSnapshot> snapshot, TimeProvider clock, ILogger log) : IAsyncDisposable
{
    /// <summary>All rounds together close at most so many times what was wrong at the start.</summary>
    private const double MostClosed = 1.2;

    private static readonly TimeSpan BetweenLooks = TimeSpan.FromMilliseconds(50);

    /// <summary>How long whoever was closed is waited for to come back, before the next look at the shares.</summary>
    private static readonly TimeSpan Return = TimeSpan.FromSeconds(5);

    private readonly ConcurrentDictionary<string, Running> _running = new();

    /// <summary>Null where nothing of it is being closed.</summary>
    public Shedding? Of(BackendCell cell) => _running.GetValueOrDefault(cell.Pool)?.Parts.GetValueOrDefault(cell);

    /// <param name="perSecond">Null: the pool's <c>close_rate</c>.</param>
    /// <returns>What it sets out to do.</returns>
    public RebalancePlan Start(Pool pool, double tolerance, int? perSecond)
    {
        var plan = RebalancePlan.For(pool, tolerance);
        Task before = Stop(pool.Name);
        if (plan.TotalSurplus > 0)
        {
            Pace pace = perSecond is null ? pool.Cell.Closing : new Pace();
            var running = new Running(plan, tolerance, Tempo.AtRate(perSecond ?? pool.Settings.CloseRate), pace);
            _running[pool.Name] = running;
            log.RebalanceBegins(pool.Name, plan.TotalSurplus);
            running.Task = Task.Run(() => RunAsync(pool.Cell, running, before));
        }

        return plan;
    }

    /// <summary>What is not closed by now stays.</summary>
    /// <returns>When it has ended.</returns>
    public Task Stop(string pool)
    {
        if (!_running.TryRemove(pool, out Running? running))
        {
            return Task.CompletedTask;
        }

        running.Cancel.Cancel();
        return running.Task;
    }

    /// <summary>Ends those that counted on a backend that is not among these.</summary>
    public void EndWithout(IReadOnlyCollection<BackendCell> known)
    {
        foreach ((string pool, Running running) in _running)
        {
            if (!running.Plan.Targets.Keys.All(known.Contains))
            {
                _ = Stop(pool);
            }
        }
    }

    public async ValueTask DisposeAsync() => await Task.WhenAll(_running.Keys.Select(Stop));

    private async Task RunAsync(PoolCell cell, Running running, Task before)
    {
        await before;
        try
        {
            int closed = await ShedAsync(cell, running);
            log.RebalanceEnds(cell.Name, closed);
        }
        catch (Exception e)
        {
            log.SheddingFailed(cell.Name, e);
        }
        finally
        {
            cell.Targets = null;
            _running.TryRemove(new KeyValuePair<string, Running>(cell.Name, running));
        }
    }

    private async Task<int> ShedAsync(PoolCell cell, Running running)
    {
        RebalancePlan plan = running.Plan;
        int left = (int)Math.Ceiling(MostClosed * Math.Max(plan.TotalSurplus, plan.TotalDeficit));
        int closed = 0;
        int last = 1;
        while (last > 0 && plan.TotalSurplus > 0 && !running.Cancel.IsCancellationRequested && PoolOf(cell) is Pool pool)
        {
            cell.Targets = plan.Targets;
            last = await engine.ShedAsync(OrderFor(pool, plan, left - closed, running), running.Cancel.Token);
            closed += last;
            plan = await NextPlanAsync(cell, running, plan);
        }

        return closed;
    }

    // Where a client comes back by the same key, it first goes whose place has changed anyway.
    private static ShedOrder OrderFor(Pool pool, RebalancePlan plan, int most, Running running) => new()
    {
        Reason = CloseReason.Rebalance,
        Tempo = running.Tempo,
        Pace = running.Pace,
        Quotas = plan.AtMost(most),
        Rank = record => pool.HasMoved(record.Tuple, record.Backend!) ? 0 : 1,
    };

    // While they come back they still go where they are missing; then whatever landed elsewhere shows.
    private async Task<RebalancePlan> NextPlanAsync(PoolCell cell, Running running, RebalancePlan last)
    {
        long start = clock.GetTimestamp();
        RebalancePlan now = last;
        while (PoolOf(cell) is Pool pool)
        {
            now = RebalancePlan.For(pool, running.Tolerance, running.Plan.Connections);
            bool areBack = RebalancePlan.For(pool, running.Tolerance).Connections >= running.Plan.Connections;
            if (areBack || running.Cancel.IsCancellationRequested || clock.GetElapsedTime(start) >= Return)
            {
                break;
            }

            await Task.Delay(BetweenLooks, clock, running.Cancel.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        return now;
    }

    private Pool? PoolOf(PoolCell cell) => snapshot().Pools.FirstOrDefault(p => p.Cell == cell);

    // Its source has no timer, hence nothing to dispose of.
    private sealed class Running(RebalancePlan plan, double tolerance, Tempo tempo, Pace pace)
    {
        public RebalancePlan Plan { get; } = plan;

        public double Tolerance { get; } = tolerance;

        public Tempo Tempo { get; } = tempo;

        public Pace Pace { get; } = pace;

        public IReadOnlyDictionary<BackendCell, Shedding> Parts { get; } =
            plan.Surplus.ToDictionary(s => s.Key, s => new Shedding(s.Key, CloseReason.Rebalance, s.Value));

        public CancellationTokenSource Cancel { get; } = new();

        public Task Task { get; set; } = Task.CompletedTask;
    }
}
