namespace L4Balancer.Core.Balancing;

/// <summary>
/// Weighted Maglev hashing (Eisenbud et al., NSDI 2016, section 3.4): members take the entries of a table in turn, each in the order
/// of a permutation that depends only on its address. Shares follow the weights more closely than on a ring; a change of
/// membership moves slightly more than the share of the changed member. Immutable; any thread.
/// </summary>
internal sealed class Maglev : HashPicker
{
    /// <summary>Minimum number of entries per member: with a hundred entries a share deviates by at most 1% of itself.</summary>
    private const int EntriesPerMember = 100;

    /// <summary>Table sizes: 65537, which the paper uses, and then the largest prime below each power of two from 2^17 on.</summary>
    private static readonly int[] Sizes = [65537, 131_071, 262_139, 524_287, 1_048_573, 2_097_143, 4_194_301, 8_388_593];

    private readonly ushort[] _owners;

    private Maglev(ushort[] owners) => _owners = owners;

    public int Size => _owners.Length;

    /// <summary>The member that owns each entry.</summary>
    public ReadOnlySpan<ushort> Owners => _owners;

    /// <param name="members">In any order, each index once; the order does not affect any pick.</param>
    public static Maglev Build(ReadOnlySpan<RingMember> members)
    {
        RingMember[] ordered = RingMember.InAddressOrder(members);
        return new Maglev(ordered.Length == 0 ? [] : Fill(ordered, SizeFor(ordered.Length)));
    }

    protected internal override int OwnerOf(ulong hash) =>
        _owners.Length == 0 ? None : _owners[(int)Math.BigMul(hash, (ulong)_owners.Length, out _)];

    internal override ulong HashOfTable(ReadOnlySpan<ulong> names)
    {
        ulong sum = (ulong)_owners.Length;
        foreach (ushort owner in _owners)
        {
            sum = Mix.Of(sum ^ names[owner]);
        }

        return sum;
    }

    internal static int SizeFor(int members) =>
        Array.Find(Sizes, s => s >= (long)members * EntriesPerMember) is > 0 and int size ? size : Sizes[^1];

    // The members take turns in address order; a member whose weight is below the maximum skips a proportional part of its turns.
    private static ushort[] Fill(RingMember[] members, int size)
    {
        var owners = new ushort[size];
        var taken = new bool[size];
        var next = new int[members.Length];
        var skip = new int[members.Length];
        var credit = new int[members.Length];
        int greatest = 0;
        for (int i = 0; i < members.Length; i++)
        {
            ulong hash = TupleHash.OfText(members[i].Address);
            next[i] = (int)(hash % (ulong)size);
            skip[i] = (int)(Mix.Of(hash) % (ulong)(size - 1)) + 1;
            greatest = Math.Max(greatest, members[i].Weight);
        }

        for (int filled = 0; ;)
        {
            for (int i = 0; i < members.Length; i++)
            {
                credit[i] += members[i].Weight;
                if (credit[i] < greatest)
                {
                    continue;
                }

                credit[i] -= greatest;
                while (taken[next[i]])
                {
                    next[i] = Step(next[i], skip[i], size);
                }

                taken[next[i]] = true;
                owners[next[i]] = (ushort)members[i].Index;
                if (++filled == size)
                {
                    return owners;
                }
            }
        }
    }

    private static int Step(int place, int skip, int size) => place >= size - skip ? place - (size - skip) : place + skip;
}
