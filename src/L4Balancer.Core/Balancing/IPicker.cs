using L4Balancer.Core.Addressing;

namespace L4Balancer.Core.Balancing;

/// <summary>How a pool chooses among its members (<c>balance</c>). Any thread; allocates nothing.</summary>
internal interface IPicker
{
    /// <param name="living">Of the picker's members.</param>
    /// <param name="tried">Indices that this connection has tried in vain.</param>
    /// <param name="admission">Who may take one more; null: everybody.</param>
    /// <returns>The index of a member, or <see cref="Walk.None"/>.</returns>
    int Pick(in FourTuple tuple, LivingSet living, ReadOnlySpan<ushort> tried, IAdmission? admission);
}
