using L4Balancer.Core.Addressing;

namespace L4Balancer.Core.Balancing;

/// <summary>
/// A weighted consistent-hash ring. Where everything lies is defined in docs/hashing.md, so that two balancers, or another
/// program, agree on every tuple. It changes only with membership or weights; who lives is told to each pick.
/// Immutable; any thread.
/// </summary>
public sealed class Ring : IHashOwners
{
    /// <summary>No member can take the connection.</summary>
    public const int None = Walk.None;

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
    /// <param name="admission">Who may take one more; null: everybody.</param>
    public int Pick(in FourTuple tuple, TupleFields fields, LivingSet living, ReadOnlySpan<ushort> tried, IAdmission? admission = null)
    {
        ArgumentNullException.ThrowIfNull(living);
        return living.Count == 0 || _points.Count == 0 ? None : Walk.Pick(this, tuple, fields, living, tried, admission);
    }

    /// <summary>The member that owns a hash, dead or alive. Needs a member.</summary>
    internal int OwnerOf(ulong hash) => _points.OwnerOf(hash);

    int IHashOwners.OwnerOf(ulong hash) => _points.OwnerOf(hash);
}
