using System.Buffers;

namespace L4Balancer.Core.Balancing;

/// <summary>The members of a ring that may receive new connections at this moment. Immutable; every change makes a new object.</summary>
public sealed class AvailableSet
{
    private readonly ulong[] _bitmap;

    // In address order, so that two balancers draw the same members; _upTo[i] is the sum of the weights of the members 0 to i.
    private readonly ushort[] _indices;
    private readonly int[] _upTo;

    // Null if there is none.
    private readonly bool[]? _joining;

    private AvailableSet(ReadOnlySpan<RingMember> ordered, bool[]? joining = null)
    {
        _joining = joining;
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

    /// <summary>Number of available members. Members of weight 0 take no new connections and are not counted.</summary>
    public int Count => _indices.Length;

    /// <summary>Sum of the weights of the available members.</summary>
    public int Weight => _upTo.Length == 0 ? 0 : _upTo[^1];

    /// <param name="available">The available members of the ring, in any order, each once.</param>
    public static AvailableSet Of(ReadOnlySpan<RingMember> available) => new(RingMember.InAddressOrder(available));

    /// <summary>
    /// The members of a ring that are not excluded. Does not sort: sorting ten thousand members at every change of health would take 20 ms.
    /// </summary>
    /// <param name="ordered">The result of <see cref="RingMember.InAddressOrder"/>.</param>
    /// <param name="excluded">Indexed by <see cref="RingMember.Index"/>.</param>
    /// <param name="joining">Those of the excluded ones that a ring passes over (<see cref="IsJoining"/>); null: none.</param>
    internal static AvailableSet Without(ReadOnlySpan<RingMember> ordered, ReadOnlySpan<bool> excluded, bool[]? joining = null)
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

        var available = new AvailableSet(scratch.AsSpan(0, count), joining);
        ArrayPool<RingMember>.Shared.Return(scratch, clearArray: true);
        return available;
    }

    public bool Contains(int index)
    {
        ulong[] bitmap = _bitmap;
        int word = index >> 6;
        return (uint)word < (uint)bitmap.Length && (bitmap[word] >> (index & 63) & 1) != 0;
    }

    /// <summary>
    /// Whether a member has joined and receives nothing yet. Its hashes belong to their owners without it, so that each moves once, when it becomes
    /// available, and not to a third member before.
    /// </summary>
    internal bool IsJoining(int index) => _joining is { } joining && joining[index];

    /// <summary>
    /// Maps a hash to a position in address order, where each member covers a range of hashes proportional to its weight. Needs at
    /// least one member.
    /// </summary>
    internal int IndexOf(ulong hash)
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

    /// <summary>The member at a position in address order.</summary>
    internal ushort At(int place) => _indices[place];
}
