using L4Balancer.Core.Accounting;
using L4Balancer.Core.Config;
using L4Balancer.Core.Health;

namespace L4Balancer.Core.Routing;

/// <summary>
/// Turns what probes report into the pools' living sets. One writer: all calls come one at a time. The trackers stand by the
/// backend's cell, so that a backend known before a reload keeps its state.
/// </summary>
public sealed class HealthBoard
{
    private Dictionary<BackendCell, Entry> _entries = [];
    private bool _follows;

    /// <summary>
    /// Carries what is known of each backend into a new snapshot, before that is published: a backend that was down is down there
    /// too. Reports about backends that it does not probe mean nothing from now on.
    /// </summary>
    public void Follow(RoutingSnapshot snapshot)
    {
        ArgumentNullException.ThrowIfNull(snapshot);
        _entries = Carry(snapshot);
        _follows = true;
    }

    /// <summary>
    /// The first half of <see cref="Follow"/>: marks in the new snapshot what is down, and changes nothing else, so that the snapshot
    /// may still be dropped.
    /// </summary>
    public void Mark(RoutingSnapshot snapshot)
    {
        ArgumentNullException.ThrowIfNull(snapshot);
        Carry(snapshot);
    }

    private Dictionary<BackendCell, Entry> Carry(RoutingSnapshot snapshot)
    {
        Dictionary<BackendCell, Entry> entries = [];
        foreach (Pool pool in snapshot.Pools)
        {
            if (pool.Settings.Health.Type == HealthType.None)
            {
                continue;
            }

            Dictionary<int, bool> down = [];
            foreach (Backend backend in pool.Backends)
            {
                HealthTracker tracker = _entries.GetValueOrDefault(backend.Cell).Tracker ?? NewTracker(pool);
                tracker.Retune(pool.Settings.Health.Rise, pool.Settings.Health.Fall);
                entries.Add(backend.Cell, new Entry(pool, backend, tracker));
                if (!tracker.IsUp)
                {
                    down.Add(backend.Index, true);
                }
            }

            if (down.Count > 0)
            {
                pool.SetDown(down);
            }
        }

        return entries;
    }

    /// <summary>
    /// Counts the outcome, and takes the backend out of its pool's picks or back in where rise or fall says so. A report that was
    /// on its way when the snapshot changed counts for the same backend in the new one.
    /// </summary>
    /// <returns>Whether the backend changed between up and down.</returns>
    public bool Report(Pool pool, Backend backend, ProbeOutcome outcome)
    {
        ArgumentNullException.ThrowIfNull(pool);
        ArgumentNullException.ThrowIfNull(backend);
        if (!_entries.TryGetValue(backend.Cell, out Entry entry))
        {
            if (_follows)
            {
                return false;
            }

            entry = new Entry(pool, backend, NewTracker(pool));
            _entries.Add(backend.Cell, entry);
        }
        else if (!_follows)
        {
            entry = entry with { Pool = pool, Backend = backend };
        }

        HealthCounters counters = backend.Cell.Health;
        Count(counters, outcome);
        if (!entry.Tracker.Report(outcome))
        {
            return false;
        }

        counters.CountTransition();
        entry.Pool.SetDown(new Dictionary<int, bool> { [entry.Backend.Index] = !entry.Tracker.IsUp });
        return true;
    }

    /// <summary>The backend as the snapshot that is followed has it; null where it is not probed in it.</summary>
    public (Pool Pool, Backend Backend)? Known(BackendCell cell) =>
        _entries.TryGetValue(cell, out Entry entry) ? (entry.Pool, entry.Backend) : null;

    private static HealthTracker NewTracker(Pool pool) => new(pool.Settings.Health.Rise, pool.Settings.Health.Fall);

    private static void Count(HealthCounters counters, ProbeOutcome outcome)
    {
        switch (outcome)
        {
            case ProbeOutcome.Success:
                counters.CountSucceeded();
                break;
            case ProbeOutcome.Failure:
                counters.CountFailed();
                break;
            default:
                counters.CountLocalError();
                break;
        }
    }

    private readonly record struct Entry(Pool Pool, Backend Backend, HealthTracker Tracker);
}
