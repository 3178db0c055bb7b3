using L4Balancer.Core.Accounting;
using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Balancing;

/// <summary>
/// <c>random-two</c>: draws two members by weight and picks the one with fewer connections relative to its weight (Mitzenmacher, The
/// Power of Two Choices in Randomized Load Balancing, 2001). What a member ended at once counts for some seconds, as in <see
/// cref="LeastConnections"/>. The cost does not depend on the size of the pool.
/// </summary>
/// <param name="states">State of the members, by member index.</param>
/// <param name="pool">Holds the pseudorandom sequence, which continues over snapshots.</param>
internal sealed class RandomTwo(BackendState[] states, PoolState pool) : IPicker
{
    private const int Draws = 16;

    public int Pick(RouteKey key, AvailableSet available, ReadOnlySpan<ushort> tried, IAdmission? admission)
    {
        if (available.Count == 0)
        {
            return HashPicker.None;
        }

        int first = HashPicker.None;
        int place = 0;
        for (int draw = 0; draw < Draws; draw++)
        {
            ulong hash = Mix.Of(pool.NextTurn());
            int drawn = available.IndexOf(hash);
            if (!Takes(available.At(drawn), tried, admission, hash))
            {
                continue;
            }

            if (first != HashPicker.None && drawn != place)
            {
                return IsLess(available, drawn, place) ? available.At(drawn) : first;
            }

            (first, place) = (available.At(drawn), drawn);
        }

        return first != HashPicker.None ? first : Any(available, place, tried, admission);
    }

    private bool IsLess(AvailableSet available, int left, int right)
    {
        Instant now = pool.Now;
        long loadOfLeft = states[available.At(left)].WeighedLoad(now) + 1L;
        long loadOfRight = states[available.At(right)].WeighedLoad(now) + 1L;
        return loadOfLeft * available.WeightAt(right) < loadOfRight * available.WeightAt(left);
    }

    // The draws found nothing, because members with almost all of the weight were tried or are full: take any member that is left.
    private static int Any(AvailableSet available, int from, ReadOnlySpan<ushort> tried, IAdmission? admission)
    {
        int place = from;
        for (int left = available.Count; left > 0; left--)
        {
            place = place + 1 == available.Count ? 0 : place + 1;
            if (Takes(available.At(place), tried, admission, Mix.Of((ulong)left)))
            {
                return available.At(place);
            }
        }

        return HashPicker.None;
    }

    private static bool Takes(ushort member, ReadOnlySpan<ushort> tried, IAdmission? admission, ulong hash) =>
        !tried.Contains(member) && (admission is null || admission.Admits(member, hash));
}
