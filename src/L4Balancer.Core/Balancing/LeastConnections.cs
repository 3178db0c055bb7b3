using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;

namespace L4Balancer.Core.Balancing;

/// <summary>
/// <c>least-connections</c>: the member that holds the fewest for its weight, connects under way included, so that a burst does not
/// fall on one. Looks at every living member: a microsecond for each thousand.
/// </summary>
/// <param name="cells">By member index.</param>
internal sealed class LeastConnections(BackendCell[] cells) : IPicker
{
    private uint _turn;

    public int Pick(in FourTuple tuple, LivingSet living, ReadOnlySpan<ushort> tried, IAdmission? admission)
    {
        if (living.Count == 0)
        {
            return Walk.None;
        }

        int best = Walk.None;
        long bestLoad = 0;
        long bestWeight = 1;

        // Among equals the turn decides, or the first in address order would get every first connection.
        uint turn = Interlocked.Increment(ref _turn);
        int place = (int)(turn % (uint)living.Count);
        for (int left = living.Count; left > 0; left--)
        {
            ushort member = living.At(place);
            long load = cells[member].Load + 1;
            long weight = living.WeightAt(place);
            if ((best == Walk.None || load * bestWeight < bestLoad * weight)
                && !tried.Contains(member) && (admission is null || admission.Admits(member, Mix.Of(turn))))
            {
                (best, bestLoad, bestWeight) = (member, load, weight);
            }

            place = place + 1 == living.Count ? 0 : place + 1;
        }

        return best;
    }
}
