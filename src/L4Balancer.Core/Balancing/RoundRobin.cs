using L4Balancer.Core.Addressing;

namespace L4Balancer.Core.Balancing;

/// <summary>
/// <c>round-robin</c>, smooth and weighted as in nginx: each pick gives every candidate its weight and takes the sum of them from the
/// one that has most, so that 5, 1, 1 comes as a a b a c a a. All threads share the turn; looks at every living member.
/// </summary>
/// <param name="members">How many indices there are.</param>
internal sealed class RoundRobin(int members) : IPicker
{
    private readonly Lock _gate = new();
    private readonly long[] _current = new long[members];
    private ulong _turn;

    public int Pick(in FourTuple tuple, LivingSet living, ReadOnlySpan<ushort> tried, IAdmission? admission)
    {
        lock (_gate)
        {
            int best = Walk.None;
            long sum = 0;
            ulong hash = Mix.Of(_turn++);
            for (int place = 0; place < living.Count; place++)
            {
                ushort member = living.At(place);
                if (tried.Contains(member) || (admission is not null && !admission.Admits(member, hash)))
                {
                    continue;
                }

                int weight = living.WeightAt(place);
                sum += weight;
                _current[member] += weight;
                if (best == Walk.None || _current[member] > _current[best])
                {
                    best = member;
                }
            }

            if (best != Walk.None)
            {
                _current[best] -= sum;
            }

            return best;
        }
    }
}
