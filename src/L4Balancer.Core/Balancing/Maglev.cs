using L4Balancer.Core.Addressing;

namespace L4Balancer.Core.Balancing;

/// <summary>
/// Maglev hashing (Eisenbud et al., NSDI 2016, section 3.4), weighted: a table whose entries the members take in turns, each by its own
/// permutation, which its address alone decides. Shares are closer to the weights than a ring's, and a change of membership moves a
/// little more than its own share. Immutable; any thread.
/// </summary>
internal sealed class Maglev : IHashOwners
{
    /// <summary>Entries for each member at least: with a hundred no share is off by more than a hundredth of itself.</summary>
    private const int EntriesPerMember = 100;

    /// <summary>The largest primes below powers of two from 2^17 on, and the one that the paper uses first.</summary>
    private static readonly int[] Sizes = [65537, 131_071, 262_139, 524_287, 1_048_573, 2_097_143, 4_194_301, 8_388_593];

    private readonly ushort[] _owners;

    private Maglev(ushort[] owners) => _owners = owners;

    public int Size => _owners.Length;

    /// <param name="members">In any order, each index once; the order does not show in any pick.</param>
    public static Maglev Build(ReadOnlySpan<RingMember> members)
    {
        RingMember[] ordered = RingMember.InAddressOrder(members);
        return new Maglev(ordered.Length == 0 ? [] : Fill(ordered, SizeFor(ordered.Length)));
    }

    /// <inheritdoc cref="Ring.Pick"/>
    public int Pick(in FourTuple tuple, TupleFields fields, LivingSet living, ReadOnlySpan<ushort> tried, IAdmission? admission) =>
        living.Count == 0 || _owners.Length == 0 ? Walk.None : Walk.Pick(this, tuple, fields, living, tried, admission);

    public int OwnerOf(ulong hash) => _owners[(int)Math.BigMul(hash, (ulong)_owners.Length, out _)];

    internal static int SizeFor(int members) =>
        Array.Find(Sizes, s => s >= (long)members * EntriesPerMember) is > 0 and int size ? size : Sizes[^1];

    // The members in address order take turns; one whose weight is less than the greatest sits out its share of the turns.
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
