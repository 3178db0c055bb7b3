using L4Balancer.Core.Accounting;
using L4Balancer.Core.Config;
using L4Balancer.Core.Health;
using L4Balancer.Core.Pacing;
using L4Balancer.Core.Routing;
using L4Balancer.Engine;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Control;

/// <summary>
/// When established connections are closed at a pace, and when that ends: what an operator says and what becomes of a backend. Only the
/// one writer calls it, but for <see cref="Of"/>.
/// </summary>
/// <param name="snapshot">The one in force.</param>
internal sealed class Closings(IEngine engine, Func<RoutingSnapshot> snapshot, TimeProvider clock, ILogger log) : IAsyncDisposable
{
    private readonly Shedders _shedders = new(engine, clock, log);
    private readonly Rebalancers _rebalancers = new(engine, snapshot, clock, log);

    /// <summary>What of this backend is being closed now; null: nothing. Any thread.</summary>
    public Shedding? Of(BackendCell cell) => _shedders.Of(cell) ?? _rebalancers.Of(cell);

    /// <summary>An operator has set the mode: what was being closed because of the mode before is not any more.</summary>
    /// <param name="tempo">Null: nothing is closed because of this one.</param>
    public void ModeSet(Pool pool, Backend backend, Tempo? tempo)
    {
        _shedders.Stop(backend.Cell);
        if (tempo is Tempo given)
        {
            _shedders.Start(backend.Cell, CloseReason.Drain, given, new Pace());
        }

        StrikeOrSpare(pool, backend);
    }

    /// <summary>A backend has come up, or is degraded or down now.</summary>
    public void HealthChanged(Pool pool, Backend backend)
    {
        if (pool.HealthOf(backend.Index) != HealthState.Up)
        {
            _ = _rebalancers.Stop(pool.Name);
        }

        StrikeOrSpare(pool, backend);
    }

    /// <summary>
    /// A snapshot is in force: where it says something else of those that are down, they are struck or spared, and what has lost its cause
    /// ends.
    /// </summary>
    public void Follow(RoutingSnapshot before, RoutingSnapshot now)
    {
        EndWithout(now);
        Dictionary<string, OnBackendDown> said = before.Pools.ToDictionary(p => p.Name, p => p.Settings.OnBackendDown);
        foreach (Pool pool in now.Pools.Where(p => said.GetValueOrDefault(p.Name) != p.Settings.OnBackendDown))
        {
            foreach (Backend backend in pool.Backends)
            {
                StrikeOrSpare(pool, backend);
            }
        }
    }

    // Whoever has left may come back, and is another then: up, ready, with other shares.
    private void EndWithout(RoutingSnapshot now)
    {
        Dictionary<BackendCell, (Pool Pool, Backend Backend)> known =
            now.Pools.SelectMany(p => p.Backends, (p, b) => (Pool: p, Backend: b)).ToDictionary(m => m.Backend.Cell);
        foreach (Shedding shedding in _shedders.All)
        {
            if (!known.TryGetValue(shedding.Cell, out (Pool Pool, Backend Backend) member)
                || (shedding.Reason == CloseReason.Drain && member.Pool.StateOf(member.Backend.Index) != BackendState.Draining))
            {
                _shedders.Stop(shedding.Cell);
            }
            else
            {
                StrikeOrSpare(member.Pool, member.Backend);
            }
        }

        _rebalancers.EndWithout(known.Keys);
    }

    // Only who is down is struck, never who is degraded; whether the pool takes it at its word for new connections (panic_threshold)
    // does not matter.
    private void StrikeOrSpare(Pool pool, Backend backend)
    {
        Shedding? shedding = _shedders.Of(backend.Cell);
        bool strikes = pool.Settings.OnBackendDown == OnBackendDown.Close && pool.IsDown(backend.Index)
            && pool.StateOf(backend.Index) != BackendState.Maintenance;
        if (strikes && shedding is null && backend.Cell.Load > 0)
        {
            _shedders.Start(backend.Cell, CloseReason.BackendDown, Tempo.AtRate(pool.Settings.CloseRate), pool.Cell.Closing);
        }
        else if (!strikes && shedding?.Reason == CloseReason.BackendDown)
        {
            _shedders.Stop(backend.Cell);
        }
    }

    /// <param name="perSecond">Null: the pool's <c>close_rate</c>.</param>
    /// <returns>What it sets out to do.</returns>
    public RebalancePlan Rebalance(Pool pool, double tolerance, int? perSecond) => _rebalancers.Start(pool, tolerance, perSecond);

    public async ValueTask DisposeAsync()
    {
        await _shedders.DisposeAsync();
        await _rebalancers.DisposeAsync();
    }
}
