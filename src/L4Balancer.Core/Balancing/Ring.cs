using L4Balancer.Core.Addressing;

namespace L4Balancer.Core.Balancing;

/// <summary>
/// A weighted consistent-hash ring. Where everything lies is defined in docs/hashing.md, so that two balancers, or another
/// program, agree on every tuple. It changes only with membership or weights; who lives is told to each pick.
/// Immutable; any thread.
/// </summary>
public sealed class Ring
{
    /// <summary>No member can take the connection.</summary>
    public const int None = -1;

    // With a tenth of the members alive, 33 hashes miss all of them 3% of the time; a draw among the living then ends the search.
    private const ulong LastRehash = 32;
    private const ulong LastDraw = LastRehash + 16;

    private readonly RingPoints _points;

    private Ring(RingPoints points) => _points = points;

    /// <summary>How many points the members have together; memory is 10 bytes for each, and 2 to 4 more for finding it.</summary>
    public int PointCount => _points.Count;

    /// <param name="members">In any order, each index once; the order does not show in any pick.</param>
    /// <exception cref="ArgumentOutOfRangeException">An index is outside 0 to 65535.</exception>
    public static Ring Build(ReadOnlySpan<RingMember> members) => new(RingPoints.Of(RingMember.InAddressOrder(members)));

    /// <summary>
    /// The index of the member that takes this tuple, or <see cref="None"/>. Allocates nothing. At once when none lives; otherwise
    /// bounded: 33 hashes on the ring, 16 draws among the living, one pass over them.
    /// </summary>
    /// <param name="living">Of this ring's members.</param>
    /// <param name="tried">Indices that this connection has tried in vain.</param>
    public int Pick(in FourTuple tuple, TupleFields fields, LivingSet living, ReadOnlySpan<ushort> tried)
    {
        ArgumentNullException.ThrowIfNull(living);
        if (living.Count == 0 || _points.Count == 0)
        {
            return None;
        }

        Span<byte> buffer = stackalloc byte[TupleHash.MaxLength];
        ReadOnlySpan<byte> key = buffer[..TupleHash.Write(tuple, fields, buffer)];
        for (ulong seed = 0; seed <= LastRehash; seed++)
        {
            int owner = _points.OwnerOf(XxHash64.Hash(key, seed));
            if (living.Contains(owner) && !tried.Contains((ushort)owner))
            {
                return owner;
            }
        }

        return Draw(key, living, tried);
    }

    /// <summary>The member that owns a hash, dead or alive. Needs a member.</summary>
    internal int OwnerOf(ulong hash) => _points.OwnerOf(hash);

    private static int Draw(ReadOnlySpan<byte> key, LivingSet living, ReadOnlySpan<ushort> tried)
    {
        int place = 0;
        for (ulong seed = LastRehash + 1; seed <= LastDraw; seed++)
        {
            place = living.PlaceOf(XxHash64.Hash(key, seed));
            if (!tried.Contains(living.At(place)))
            {
                return living.At(place);
            }
        }

        // Almost all the weight was tried: the next in address order after the last draw, whoever is left.
        for (int left = living.Count; left > 0; left--)
        {
            place = place + 1 == living.Count ? 0 : place + 1;
            if (!tried.Contains(living.At(place)))
            {
                return living.At(place);
            }
        }

        return None;
    }
}
