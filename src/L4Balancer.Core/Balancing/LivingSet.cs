using System.Buffers;

namespace L4Balancer.Core.Balancing;

/// <summary>Which members of a ring may receive new connections at this moment. Immutable; a change is a new object.</summary>
public sealed class LivingSet
{
    private readonly ulong[] _bitmap;

    // In address order, so that two balancers draw alike; _upTo[i] is the weight of the members 0 to i together.
    private readonly ushort[] _indices;
    private readonly int[] _upTo;

    private LivingSet(ReadOnlySpan<RingMember> ordered)
    {
        _indices = new ushort[ordered.Length];
        _upTo = new int[ordered.Length];
        int last = -1;
        int weight = 0;
        for (int i = 0; i < ordered.Length; i++)
        {
            weight += ordered[i].Weight;
            _upTo[i] = weight;
            _indices[i] = (ushort)ordered[i].Index;
            last = Math.Max(last, ordered[i].Index);
        }

        _bitmap = new ulong[(last + 64) / 64];
        foreach (ushort index in _indices)
        {
            _bitmap[index / 64] |= 1UL << (index % 64);
        }
    }

    /// <summary>How many live; members of weight 0 take no new connections and are not counted.</summary>
    public int Count => _indices.Length;

    /// <summary>Of all that live together.</summary>
    public int Weight => _upTo.Length == 0 ? 0 : _upTo[^1];

    /// <param name="living">Members of the ring that is to be picked from, in any order, each once.</param>
    public static LivingSet Of(ReadOnlySpan<RingMember> living) => new(RingMember.InAddressOrder(living));

    /// <summary>
    /// The members of a ring that are not marked. Sorting ten thousand anew for each that goes down takes 20 ms, so this does not.
    /// </summary>
    /// <param name="ordered">From <see cref="RingMember.InAddressOrder"/>.</param>
    /// <param name="excluded">By the members' <see cref="RingMember.Index"/>.</param>
    internal static LivingSet Without(ReadOnlySpan<RingMember> ordered, ReadOnlySpan<bool> excluded)
    {
        RingMember[] scratch = ArrayPool<RingMember>.Shared.Rent(ordered.Length);
        int count = 0;
        foreach (RingMember member in ordered)
        {
            if (!excluded[member.Index])
            {
                scratch[count++] = member;
            }
        }

        var living = new LivingSet(scratch.AsSpan(0, count));
        ArrayPool<RingMember>.Shared.Return(scratch, clearArray: true);
        return living;
    }

    public bool Contains(int index)
    {
        ulong[] bitmap = _bitmap;
        int word = index >> 6;
        return (uint)word < (uint)bitmap.Length && (bitmap[word] >> (index & 63) & 1) != 0;
    }

    /// <summary>The place, in address order, on which a hash falls when each member takes room by its weight. Needs a member.</summary>
    internal int PlaceOf(ulong hash)
    {
        int weight = (int)Math.BigMul(hash, (ulong)_upTo[^1], out _);
        int low = 0;
        int high = _upTo.Length - 1;
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            if (_upTo[middle] > weight)
            {
                high = middle;
            }
            else
            {
                low = middle + 1;
            }
        }

        return low;
    }

    internal int WeightAt(int place) => _upTo[place] - (place == 0 ? 0 : _upTo[place - 1]);

    /// <summary>The member at a place in address order.</summary>
    internal ushort At(int place) => _indices[place];
}
