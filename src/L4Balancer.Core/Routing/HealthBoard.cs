using L4Balancer.Core.Accounting;
using L4Balancer.Core.Health;

namespace L4Balancer.Core.Routing;

/// <summary>
/// Turns what probes report into the pools' living sets. One writer: all calls come one at a time. The trackers stand by the
/// backend's cell, so that a backend known before a reload keeps its state.
/// </summary>
public sealed class HealthBoard
{
    private readonly Dictionary<BackendCell, HealthTracker> _trackers = [];

    /// <summary>Counts the outcome, and takes the backend out of its pool's picks or back in where rise or fall says so.</summary>
    /// <returns>Whether the backend changed between up and down.</returns>
    public bool Report(Pool pool, Backend backend, ProbeOutcome outcome)
    {
        ArgumentNullException.ThrowIfNull(pool);
        ArgumentNullException.ThrowIfNull(backend);
        Count(backend.Cell.Health, outcome);
        if (!_trackers.TryGetValue(backend.Cell, out HealthTracker? tracker))
        {
            tracker = new HealthTracker(pool.Settings.Health.Rise, pool.Settings.Health.Fall);
            _trackers.Add(backend.Cell, tracker);
        }

        if (!tracker.Report(outcome))
        {
            return false;
        }

        backend.Cell.Health.CountTransition();
        pool.SetDown(new Dictionary<int, bool> { [backend.Index] = !tracker.IsUp });
        return true;
    }

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
}
