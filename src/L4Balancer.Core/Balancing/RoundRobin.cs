using L4Balancer.Core.Accounting;

namespace L4Balancer.Core.Balancing;

/// <summary>
/// <c>round-robin</c>, smooth and weighted as in nginx: each pick adds to every candidate its share, selects the candidate with the
/// highest value and subtracts the sum of the shares from it, so that weights 5, 1, 1 give a a b a c a a. The values belong to the
/// backends and outlive the snapshot, so that a reload does not begin anew; shares instead of weights keep them small when weights change.
/// All threads share the values. Examines every available member.
/// </summary>
/// <param name="states">State of the members, by member index.</param>
internal sealed class RoundRobin(BackendState[] states, PoolState pool) : IPicker
{
    public int Pick(RouteKey key, AvailableSet available, ReadOnlySpan<ushort> tried, IAdmission? admission)
    {
        lock (pool.TurnGate)
        {
            int best = HashPicker.None;
            long sum = 0;
            ulong hash = Mix.Of(pool.NextTurn());
            for (int place = 0; place < available.Count; place++)
            {
                ushort member = available.At(place);
                if (tried.Contains(member) || (admission is not null && !admission.Admits(member, hash)))
                {
                    continue;
                }

                long share = ((long)available.WeightAt(place) << 32) / available.Weight;
                sum += share;
                BackendState state = states[member];
                state.Turn = (state.Turn ?? FirstOf(state, share)) + share;
                if (best == HashPicker.None || state.Turn > states[best].Turn)
                {
                    best = member;
                }
            }

            if (best != HashPicker.None)
            {
                states[best].Turn -= sum;
            }

            return best;
        }
    }

    // Without a seed the first turn is that of the first in address order. A part of the share at random makes the order of the first
    // round a random one, and changes nothing of how many picks each gets.
    private long FirstOf(BackendState state, long share) =>
        pool.Seed == 0 ? 0 : (long)Math.BigMul(Mix.Of(pool.Seed ^ TupleHash.OfText(state.Name)), (ulong)share, out _);
}
