using L4Balancer.Core.Health;
using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Routing;

/// <content>Health that goes over to another process, with its counts.</content>
public sealed partial class HealthBoard
{
    private readonly Dictionary<(string Pool, string Backend), CarriedHealth> _carried = [];

    /// <summary>
    /// What the process before this one knew. The first snapshot goes on with it where a backend has the same address and its checks are not
    /// switched off; no transition is counted for that.
    /// </summary>
    public IEnumerable<CarriedHealth> Carried
    {
        init
        {
            ArgumentNullException.ThrowIfNull(value);
            foreach (CarriedHealth health in value)
            {
                _carried.TryAdd((health.Pool, health.Backend), health);
            }
        }
    }

    /// <summary>What is known of each backend in force. Only the one writer calls this.</summary>
    public IReadOnlyList<CarriedHealth> Known() => [.. _entries.Values.Select(static e => e.Known())];

    /// <summary>
    /// Marks the first snapshot of a process before anything serves it, so that no connection goes to a backend that is known to be down.
    /// </summary>
    public static void Mark(RoutingSnapshot first, IEnumerable<CarriedHealth> carried)
    {
        var board = new HealthBoard { Carried = carried };
        board.Mark(first);
    }

    private CarriedHealth? CarriedOf(Pool pool, Backend backend) =>
        !_isRunning && backend.IsResolved && _carried.TryGetValue((pool.Name, backend.Name), out CarriedHealth? known)
        && known.Endpoint == backend.Endpoint ? known : null;

    private void Continue(HealthEntry entry, CarriedHealth known, Instant now)
    {
        entry.Continue(known, now);
        if (entry.TrialAt != Instant.Never)
        {
            _trials.Enqueue(entry, entry.TrialAt);
        }

        if (known.StatusSince != default)
        {
            entry.State.ContinueStatus((int)known.Status, known.StatusSince);
        }
    }
}
