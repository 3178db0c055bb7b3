using L4Balancer.Core.Addressing;

namespace L4Balancer.Core.Balancing;

/// <summary>
/// A weighted consistent-hash ring. docs/hashing.md defines the position of every point, so that two balancers, or another
/// program, agree on every tuple. It depends only on membership and weights; each pick receives the available members as a parameter.
/// Immutable; any thread.
/// </summary>
public sealed class Ring : IHashOwners
{
    /// <summary>No member can take the connection.</summary>
    public const int None = Walk.None;

    private readonly RingPoints _points;

    private Ring(RingPoints points) => _points = points;

    /// <summary>Number of points of all members. Each takes 10 bytes of memory, and 2 to 4 more in the lookup table.</summary>
    public int PointCount => _points.Count;

    /// <param name="members">In any order, each index once; the order does not affect any pick.</param>
    /// <exception cref="ArgumentOutOfRangeException">An index is outside 0 to 65535.</exception>
    public static Ring Build(ReadOnlySpan<RingMember> members) => new(RingPoints.Of(RingMember.InAddressOrder(members)));

    /// <summary>
    /// The index of the member that takes this tuple, or <see cref="None"/>. Allocates nothing. Returns immediately if no member is
    /// available; otherwise the cost is bounded by 33 hashes on the ring, 16 draws among the available members and one pass over them.
    /// </summary>
    /// <param name="living">The members of this ring that are available for new connections.</param>
    /// <param name="tried">Indices of members to which this connection has already failed to connect.</param>
    /// <param name="admission">Decides which members may take one more connection; null means all of them.</param>
    public int Pick(in FourTuple tuple, TupleFields fields, LivingSet living, ReadOnlySpan<ushort> tried, IAdmission? admission = null)
    {
        ArgumentNullException.ThrowIfNull(living);
        return living.Count == 0 || _points.Count == 0 ? None : Walk.Pick(this, tuple, fields, living, tried, admission);
    }

    /// <summary>The member that owns a hash, whether it is available or not. The ring must have at least one member.</summary>
    internal int OwnerOf(ulong hash) => _points.OwnerOf(hash);

    int IHashOwners.OwnerOf(ulong hash) => _points.OwnerOf(hash);
}
