namespace L4Balancer.Core.Balancing;

/// <summary>One backend as the ring sees it.</summary>
/// <param name="Index">What a pick answers: the backend's index in its pool, 0 to 65535.</param>
/// <param name="Address">The address as written in the configuration; it alone says where on the ring the backend's points lie.</param>
/// <param name="Weight">1 to 1000; 100 is the ordinary one. A member of weight 0 takes no new connections and is passed over.</param>
public readonly record struct RingMember(int Index, string Address, int Weight)
{
    /// <summary>
    /// The members that have a weight, by address in ordinal order. The order of the file never shows, except between backends
    /// that share one address, where it cannot matter to a client.
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
