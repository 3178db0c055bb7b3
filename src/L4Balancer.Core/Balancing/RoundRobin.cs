using L4Balancer.Core.Addressing;

namespace L4Balancer.Core.Balancing;

/// <summary>
/// <c>round-robin</c>, smooth and weighted as in nginx: each pick adds to every candidate its weight, selects the candidate with the
/// highest value and subtracts the sum of the weights from it, so that weights 5, 1, 1 give a a b a c a a. All threads share the
/// values. Examines every available member.
/// </summary>
/// <param name="members">Number of member indices.</param>
internal sealed class RoundRobin(int members) : IPicker
{
    private readonly Lock _gate = new();
    private readonly long[] _current = new long[members];
    private ulong _turn;

    public int Pick(in FourTuple tuple, AvailableSet available, ReadOnlySpan<ushort> tried, IAdmission? admission)
    {
        lock (_gate)
        {
            int best = HashPicker.None;
            long sum = 0;
            ulong hash = Mix.Of(_turn++);
            for (int place = 0; place < available.Count; place++)
            {
                ushort member = available.At(place);
                if (tried.Contains(member) || (admission is not null && !admission.Admits(member, hash)))
                {
                    continue;
                }

                int weight = available.WeightAt(place);
                sum += weight;
                _current[member] += weight;
                if (best == HashPicker.None || _current[member] > _current[best])
                {
                    best = member;
                }
            }

            if (best != HashPicker.None)
            {
                _current[best] -= sum;
            }

            return best;
        }
    }
}
