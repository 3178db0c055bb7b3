using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;

namespace L4Balancer.Core.Balancing;

/// <summary>
/// <c>random-two</c>: draws two members by weight and picks the one with fewer connections relative to its weight (Mitzenmacher, The
/// Power of Two Choices in Randomized Load Balancing, 2001). The cost does not depend on the size of the pool.
/// </summary>
/// <param name="cells">State of the members, by member index.</param>
/// <param name="seed">Start of the pseudorandom sequence.</param>
internal sealed class RandomTwo(BackendCell[] cells, ulong seed) : IPicker
{
    private const int Draws = 16;

    private ulong _turn = seed;

    public int Pick(in FourTuple tuple, LivingSet living, ReadOnlySpan<ushort> tried, IAdmission? admission)
    {
        if (living.Count == 0)
        {
            return Walk.None;
        }

        int first = Walk.None;
        int place = 0;
        for (int draw = 0; draw < Draws; draw++)
        {
            ulong hash = Mix.Of(Interlocked.Increment(ref _turn));
            int drawn = living.PlaceOf(hash);
            if (!Takes(living.At(drawn), tried, admission, hash))
            {
                continue;
            }

            if (first != Walk.None && drawn != place)
            {
                return IsLess(living, drawn, place) ? living.At(drawn) : first;
            }

            (first, place) = (living.At(drawn), drawn);
        }

        return first != Walk.None ? first : Any(living, place, tried, admission);
    }

    private bool IsLess(LivingSet living, int left, int right) =>
        (cells[living.At(left)].Load + 1L) * living.WeightAt(right) < (cells[living.At(right)].Load + 1L) * living.WeightAt(left);

    // The draws found nothing, because members with almost all of the weight were tried or are full: take any member that is left.
    private static int Any(LivingSet living, int from, ReadOnlySpan<ushort> tried, IAdmission? admission)
    {
        int place = from;
        for (int left = living.Count; left > 0; left--)
        {
            place = place + 1 == living.Count ? 0 : place + 1;
            if (Takes(living.At(place), tried, admission, Mix.Of((ulong)left)))
            {
                return living.At(place);
            }
        }

        return Walk.None;
    }

    private static bool Takes(ushort member, ReadOnlySpan<ushort> tried, IAdmission? admission, ulong hash) =>
        !tried.Contains(member) && (admission is null || admission.Admits(member, hash));
}
