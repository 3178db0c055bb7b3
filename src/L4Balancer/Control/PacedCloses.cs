using System.Collections.Concurrent;
using System.Collections.Immutable;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Config;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Handover;
using L4Balancer.Core.Health;
using L4Balancer.Core.Pacing;
using L4Balancer.Core.Routing;
using L4Balancer.Engine;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Control;

/// <summary>
/// Starts and stops the closing of established connections at a limited rate, on an operator's request or when the state of a backend
/// changes. At most one <see cref="BackendClose"/> per backend and one <see cref="Rebalance"/> per pool, and any number of <see
/// cref="FilteredClose"/>. Only the control loop calls it, except for <see cref="Of"/>.
/// </summary>
/// <param name="first">The snapshot in force.</param>
internal sealed class PacedCloses(IEngine engine, RoutingSnapshot first, TimeProvider clock, ILogger log)
    : ISnapshotParticipant, IAsyncDisposable
{
    private readonly ConcurrentDictionary<BackendState, BackendClose> _backends = new();
    private readonly ConcurrentDictionary<string, Rebalance> _rebalances = new();
    private readonly ConcurrentDictionary<FilteredClose, string> _filtered = new();
    private volatile RoutingSnapshot _snapshot = first;

    /// <summary>The progress of the close of this backend; null: none is running. Any thread.</summary>
    public Shedding? Of(BackendState state) => SheddingOf(state) ?? _rebalances.GetValueOrDefault(state.Pool)?.Of(state);

    /// <summary>The rebalance of this pool that runs; null: none. Any thread.</summary>
    public Rebalance? RebalanceOf(PoolState pool) => _rebalances.GetValueOrDefault(pool.Name);

    /// <summary>What is being closed, for another process to go on with.</summary>
    public IReadOnlyList<CarriedShed> Carried() =>
        [.. _backends.Values.Select(static b => b.Carried), .. _rebalances.Values.Select(static r => r.Carried), .. _filtered.Keys.Select(static f => f.Carried)];

    /// <summary>
    /// Goes on with what another process was closing, once its connections have come over. What has no cause here any more is left out.
    /// </summary>
    /// <param name="filterOf">Makes a filter of its parts; null if it is not known.</param>
    /// <returns>How many of them go on.</returns>
    public int Continue(IEnumerable<CarriedShed> sheds, Func<ImmutableArray<(string Part, string Value)>, CloseFilter?> filterOf) =>
        sheds.Count(shed => shed.Kind switch
        {
            ShedKind.Backend => ContinueBackend(shed),
            ShedKind.Rebalance => _snapshot.Pools.FirstOrDefault(p => p.Name == shed.Pool) is { } pool
                && Rebalance(pool, shed.Tolerance, shed.PerSecond).TotalSurplus > 0,
            _ => filterOf(shed.Filter) is { } filter && ContinueFilter(filter, shed.PerSecond),
        });

    /// <summary>An operator stops the rebalance of a pool: the connections that are not closed yet stay.</summary>
    /// <returns>How many connections it has begun to close; null if none was running.</returns>
    public long? EndRebalance(string pool)
    {
        Rebalance? running = _rebalances.GetValueOrDefault(pool);
        _ = StopRebalance(pool);
        return running?.Closed;
    }

    /// <summary>An operator has set the mode: a close that belongs to the previous mode ends.</summary>
    /// <param name="rate">Null: this mode closes no connections.</param>
    /// <param name="removed">Backends of the same name that have left, at another address, and still have connections.</param>
    public void ModeSet(Pool pool, Backend backend, CloseRate? rate, IReadOnlyList<BackendState>? removed = null)
    {
        var limiter = new RateLimiter();
        StopBackend(backend.State);
        if (rate is CloseRate given)
        {
            StartBackend(backend.State, CloseReason.Drain, given, limiter);
        }

        StartOrStop(pool, backend);
        DrainRemoved(removed ?? [], rate, limiter);
    }

    /// <summary>An operator drains backends that have left the configuration: they take no connections in any case.</summary>
    /// <param name="rate">Null: their connections stay, and a drain that is running ends.</param>
    /// <param name="limiter">They share it.</param>
    public void DrainRemoved(IReadOnlyList<BackendState> removed, CloseRate? rate, RateLimiter limiter)
    {
        foreach (BackendState state in removed)
        {
            if (rate is CloseRate given)
            {
                StartBackend(state, CloseReason.Drain, given, limiter);
            }
            else if (SheddingOf(state)?.Reason == CloseReason.Drain)
            {
                StopBackend(state);
            }
        }
    }

    /// <summary>A backend has changed between up, degraded and down.</summary>
    public void HealthChanged(Pool pool, Backend backend)
    {
        if (pool.HealthOf(backend.Index) != HealthState.Up)
        {
            _ = StopRebalance(pool.Name);
        }

        StartOrStop(pool, backend);
    }

    /// <param name="perSecond">Null: the pool's <c>close_rate</c>.</param>
    /// <returns>The plan.</returns>
    public RebalancePlan Rebalance(Pool pool, double tolerance, int? perSecond)
    {
        var plan = RebalancePlan.For(pool, tolerance);
        Task before = StopRebalance(pool.Name);
        if (plan.TotalSurplus > 0)
        {
            PoolState state = pool.State;
            var rebalance = new Rebalance(
                state, plan, tolerance, CloseRate.AtRate(perSecond ?? pool.Settings.CloseRate), perSecond is null ? state.Closing : new RateLimiter(),
                () => _snapshot.Pools.FirstOrDefault(p => p.State == state), before, engine, clock, log);
            _rebalances[state.Name] = rebalance;
            log.RebalanceBegins(state.Name, plan.TotalSurplus);
            rebalance.Start(e => log.SheddingFailed(state.Name, e), () => _rebalances.TryRemove(new(state.Name, rebalance)));
        }

        return plan;
    }

    /// <summary>Closes the established connections that match a filter, whatever else is being closed.</summary>
    /// <param name="pools">The pools that have such connections, each with the rate for the case that it has left the configuration.</param>
    /// <param name="perSecond">For all pools together; null: each pool at its <c>close_rate</c>, which it shares with its other closes.</param>
    public void CloseMatching(CloseFilter filter, IReadOnlyDictionary<PoolState, int> pools, int? perSecond)
    {
        Dictionary<PoolState, int> inForce = _snapshot.Pools.ToDictionary(p => p.State, p => p.Settings.CloseRate);
        ShedOrder[] orders = perSecond is int rate
            ? [Order(rate, new RateLimiter(), filter.Matches)]
            :
            [
                .. pools.Select(p => Order(
                    inForce.GetValueOrDefault(p.Key, p.Value), p.Key.Closing, record => record.Pool == p.Key && filter.Matches(record))),
            ];
        var close = new FilteredClose(filter, orders, perSecond, engine, log);
        _filtered[close] = filter.Text;
        close.Start(e => log.FilteredCloseFailed(filter.Text, e), () => _filtered.TryRemove(close, out _));

        static ShedOrder Order(int perSecond, RateLimiter limiter, Func<ConnectionRecord, bool> matches) => new()
        {
            Reason = CloseReason.Admin,
            CloseRate = CloseRate.AtRate(perSecond),
            RateLimiter = limiter,
            Filter = matches,
        };
    }

    /// <summary>
    /// Ends closes that no longer have a cause; starts one if the pool now requires that the connections of backends that are down, or have
    /// left the configuration, are closed.
    /// </summary>
    public void Commit(RoutingSnapshot? before, RoutingSnapshot now)
    {
        _snapshot = now;
        EndWithoutCause(now);
        Dictionary<string, OnBackendDown> said = before?.Pools.ToDictionary(p => p.Name, p => p.Settings.OnBackendDown) ?? [];
        foreach (Pool pool in now.Pools.Where(p => said.GetValueOrDefault(p.Name) != p.Settings.OnBackendDown))
        {
            foreach (Backend backend in pool.Backends)
            {
                StartOrStop(pool, backend);
            }
        }

        FollowRemoved(before, now);
    }

    public async ValueTask DisposeAsync()
    {
        PacedClose[] all = [.. _backends.Values, .. _rebalances.Values, .. _filtered.Keys];
        foreach (PacedClose close in all)
        {
            close.Stop();
        }

        await Task.WhenAll(all.Select(c => c.Completion));
    }

    private bool ContinueBackend(CarriedShed shed)
    {
        (Pool? Pool, Backend Backend)[] named =
        [
            .. _snapshot.Pools.SelectMany(static p => p.Backends, static (p, b) => ((Pool?)p, b)),
            .. _snapshot.Removed.Backends.Select(static b => ((Pool?)null, b)),
        ];
        named = [.. named.Where(m => m.Backend.State.Pool == shed.Pool && m.Backend.Name == shed.Backend)];
        (Pool? pool, Backend? backend) = named.FirstOrDefault(m => m.Backend.State.Address == shed.Address || m.Backend.Settings.Address == shed.Address);
        if (backend is null || SheddingOf(backend.State) is not null)
        {
            return false;
        }

        bool hasCause = shed.Reason switch
        {
            CloseReason.Drain => pool is null || pool.StatusOf(backend.Index) == BackendStatus.Draining,
            CloseReason.BackendDown => pool is { Settings.OnBackendDown: OnBackendDown.Close } && pool.IsDown(backend.Index),
            _ => pool is null,
        };
        if (hasCause)
        {
            CloseRate rate = shed.Within is { } time ? CloseRate.Within(time)
                : CloseRate.AtRate(shed.PerSecond ?? pool?.Settings.CloseRate ?? RateOf(backend.State.PoolState));
            RateLimiter limiter = shed is { PerSecond: null, Within: null } ? backend.State.PoolState.Closing : new RateLimiter();
            StartBackend(backend.State, shed.Reason, rate, limiter);
        }

        return hasCause;
    }

    private bool ContinueFilter(CloseFilter filter, int? perSecond)
    {
        IEnumerable<PoolState> pools = _snapshot.Pools.Select(static p => p.State)
            .Concat(_snapshot.Removed.Backends.Where(static b => b.State.Active > 0).Select(static b => b.State.PoolState)).Distinct();
        CloseMatching(filter, pools.ToDictionary(static p => p, RateOf), perSecond);
        return true;
    }

    private int RateOf(PoolState pool) =>
        (_snapshot.Pools.FirstOrDefault(p => p.State == pool)?.Settings ?? new PoolSettings { Name = pool.Name }).CloseRate;

    // A backend that has left the configuration takes no more connections: its drain goes on. It may return with the same state, and is
    // then up and ready.
    private void EndWithoutCause(RoutingSnapshot now)
    {
        Dictionary<BackendState, (Pool Pool, Backend Backend)> known =
            now.Pools.SelectMany(p => p.Backends, (p, b) => (Pool: p, Backend: b)).ToDictionary(m => m.Backend.State);
        foreach (Shedding shedding in _backends.Values.Select(c => c.Shedding))
        {
            bool stays = known.TryGetValue(shedding.State, out (Pool Pool, Backend Backend) member);
            bool hasCause = shedding.Reason switch
            {
                CloseReason.Drain => !stays || member.Pool.StatusOf(member.Backend.Index) == BackendStatus.Draining,
                CloseReason.BackendRemoved => !stays,
                _ => stays,
            };
            if (!hasCause)
            {
                StopBackend(shedding.State);
            }
            else if (stays)
            {
                StartOrStop(member.Pool, member.Backend);
            }
        }

        foreach ((string pool, Rebalance rebalance) in _rebalances)
        {
            if (!rebalance.CountsOnlyOn(known.Keys))
            {
                _ = StopRebalance(pool);
            }
        }
    }

    // Of a pool that has left as a whole, what it said last holds.
    private void FollowRemoved(RoutingSnapshot? before, RoutingSnapshot now)
    {
        Dictionary<string, PoolSettings> pools = before?.Pools.ToDictionary(p => p.Name, p => p.Settings) ?? [];
        foreach (Pool pool in now.Pools)
        {
            pools[pool.Name] = pool.Settings;
        }

        foreach (BackendState state in now.Removed.Backends.Select(b => b.State).Where(s => s.Staying > 0 || s.Load > s.Active))
        {
            if (!pools.TryGetValue(state.Pool, out PoolSettings? pool))
            {
                continue;
            }

            Shedding? shedding = SheddingOf(state);
            if (pool.OnBackendRemoved == OnBackendRemoved.Close && shedding is null)
            {
                StartBackend(state, CloseReason.BackendRemoved, CloseRate.AtRate(pool.CloseRate), state.PoolState.Closing);
            }
            else if (pool.OnBackendRemoved == OnBackendRemoved.Keep && shedding?.Reason == CloseReason.BackendRemoved)
            {
                StopBackend(state);
            }
        }
    }

    // Only connections to a backend that is down are closed, never to one that is degraded. It does not matter whether the pool still uses
    // the backend for new connections (panic_threshold).
    private void StartOrStop(Pool pool, Backend backend)
    {
        Shedding? shedding = SheddingOf(backend.State);
        bool closes = pool.Settings.OnBackendDown == OnBackendDown.Close && pool.IsDown(backend.Index)
            && pool.StatusOf(backend.Index) != BackendStatus.Maintenance;
        if (closes && shedding is null && backend.State.Load > 0)
        {
            StartBackend(backend.State, CloseReason.BackendDown, CloseRate.AtRate(pool.Settings.CloseRate), pool.State.Closing);
        }
        else if (!closes && shedding?.Reason == CloseReason.BackendDown)
        {
            StopBackend(backend.State);
        }
    }

    private Shedding? SheddingOf(BackendState state) => _backends.GetValueOrDefault(state)?.Shedding;

    // Replaces a close of this backend that is running.
    private void StartBackend(BackendState state, CloseReason reason, CloseRate rate, RateLimiter limiter)
    {
        StopBackend(state);
        var close = new BackendClose(new Shedding(state, reason, state.Staying), rate, limiter, engine, clock, log);
        _backends[state] = close;
        log.SheddingBegins(state.Pool, state.Name, close.Shedding.Planned, reason.Name());
        close.Start(e => log.SheddingFailed(state.Pool, e), () => _backends.TryRemove(new(state, close)));
    }

    private void StopBackend(BackendState state)
    {
        if (_backends.TryRemove(state, out BackendClose? close))
        {
            close.Stop();
        }
    }

    /// <returns>A task that completes when the rebalance has ended.</returns>
    private Task StopRebalance(string pool)
    {
        if (!_rebalances.TryRemove(pool, out Rebalance? rebalance))
        {
            return Task.CompletedTask;
        }

        rebalance.Stop();
        return rebalance.Completion;
    }
}
