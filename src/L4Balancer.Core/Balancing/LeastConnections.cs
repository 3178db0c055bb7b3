using L4Balancer.Core.Accounting;
using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Balancing;

/// <summary>
/// <c>least-connections</c>: picks the member with the fewest connections relative to its weight. Connects in progress count, so that
/// a burst does not go to a single member, and so do, for some seconds, connections that the member ended at once: otherwise a member
/// that accepts and closes would get all clients. Examines every available member, about a microsecond per thousand.
/// </summary>
/// <param name="states">State of the members, by member index.</param>
internal sealed class LeastConnections(BackendState[] states, PoolState pool) : IPicker
{
    public int Pick(RouteKey key, AvailableSet available, ReadOnlySpan<ushort> tried, IAdmission? admission)
    {
        if (available.Count == 0)
        {
            return HashPicker.None;
        }

        int best = HashPicker.None;
        long bestLoad = 0;
        long bestWeight = 1;

        // The scan starts at a different member each time; otherwise ties would always go to the first in address order.
        ulong turn = pool.NextTurn();
        int place = (int)(turn % (ulong)available.Count);
        Instant now = pool.Now;
        for (int left = available.Count; left > 0; left--)
        {
            ushort member = available.At(place);
            long load = states[member].WeighedLoad(now) + 1;
            long weight = available.WeightAt(place);
            if ((best == HashPicker.None || load * bestWeight < bestLoad * weight)
                && !tried.Contains(member) && (admission is null || admission.Admits(member, Mix.Of(turn))))
            {
                (best, bestLoad, bestWeight) = (member, load, weight);
            }

            place = place + 1 == available.Count ? 0 : place + 1;
        }

        return best;
    }
}
