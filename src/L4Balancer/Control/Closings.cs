using L4Balancer.Core.Accounting;
using L4Balancer.Core.Config;
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

    /// <summary>An operator has set the mode: what was being closed before is not any more.</summary>
    /// <param name="tempo">Null: nothing is closed.</param>
    public void ModeSet(Backend backend, Tempo? tempo)
    {
        _shedders.Stop(backend.Cell);
        if (tempo is Tempo given)
        {
            _shedders.Start(backend.Cell, CloseReason.Drain, given, new Pace());
        }
    }

    /// <summary>Probes have changed their mind about a backend.</summary>
    public void HealthChanged(Pool pool, Backend backend)
    {
        Shedding? shedding = _shedders.Of(backend.Cell);
        if (!pool.IsDown(backend.Index))
        {
            if (shedding?.Reason == CloseReason.BackendDown)
            {
                _shedders.Stop(backend.Cell);
            }

            return;
        }

        _ = _rebalancers.Stop(pool.Name);
        bool isDown = pool.StateOf(backend.Index) is BackendState.Down or BackendState.Draining;
        if (isDown && pool.Settings.OnBackendDown == OnBackendDown.Close && shedding is null)
        {
            _shedders.Start(backend.Cell, CloseReason.BackendDown, Tempo.AtRate(pool.Settings.CloseRate), pool.Cell.Closing);
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
