using L4Balancer.Core.Addressing;
using L4Balancer.Core.Balancing;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Sticky;
using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Tests.Balancing;

/// <summary>Picks by the fields of a tuple.</summary>
internal static class TuplePicks
{
    public static int Pick(
        this HashPicker picker, in FourTuple tuple, AvailableSet available, ReadOnlySpan<ushort> tried, IAdmission? admission = null,
        TupleFields fields = TupleFields.All)
    {
        Span<byte> buffer = stackalloc byte[TupleHash.MaxLength];
        return picker.Pick(new RouteKey(buffer[..TupleHash.Write(tuple, fields, buffer)]), available, tried, admission);
    }

    public static int OwnerOf(this Pool pool, in FourTuple tuple) =>
        pool.OwnerOf(pool.Key.OfTuple(tuple, stackalloc byte[TupleHash.MaxLength]));

    public static int FollowedBy(this Pool pool, in FourTuple tuple, Instant now) =>
        pool.FollowedBy(pool.Key.OfTuple(tuple, stackalloc byte[TupleHash.MaxLength]), now);

    public static StickyKeyHash HashOf(this StickyTable table, in FourTuple tuple)
    {
        Span<byte> buffer = stackalloc byte[TupleHash.MaxLength];
        return table.HashOf(new RouteKey(buffer[..TupleHash.Write(tuple, TupleFields.All, buffer)]));
    }
}
