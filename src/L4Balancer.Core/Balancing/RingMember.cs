namespace L4Balancer.Core.Balancing;

/// <summary>One backend of a ring or Maglev table.</summary>
/// <param name="Index">The value that a pick returns: the backend's index in its pool, 0 to 65535.</param>
/// <param name="Address">
/// The address as written in the configuration, or what takes its place for a second backend of one address (<see cref="Placement"/>); it
/// alone determines the position of the backend's points on the ring.
/// </param>
/// <param name="Weight">1 to 1000; the default is 100. A member of weight 0 takes no new connections and is ignored.</param>
public readonly record struct RingMember(int Index, string Address, int Weight)
{
    /// <summary>
    /// The members whose weight is above 0, by address in ordinal order. The order of the file matters only between backends
    /// that share one address, where it makes no difference to a client.
    /// </summary>
    internal static RingMember[] InAddressOrder(ReadOnlySpan<RingMember> members)
    {
        var weighted = new List<RingMember>(members.Length);
        foreach (RingMember member in members)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(member.Index, nameof(members));
            ArgumentOutOfRangeException.ThrowIfGreaterThan(member.Index, ushort.MaxValue, nameof(members));
            if (member.Weight > 0)
            {
                weighted.Add(member);
            }
        }

        RingMember[] ordered = [.. weighted];
        Array.Sort(ordered, static (left, right) =>
        {
            int byAddress = string.CompareOrdinal(left.Address, right.Address);
            return byAddress != 0 ? byAddress : left.Index.CompareTo(right.Index);
        });
        return ordered;
    }
}
