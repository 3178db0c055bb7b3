using L4Balancer.Core.Addressing;

namespace L4Balancer.Core.Balancing;

/// <summary>Chooses one of a pool's members (<c>balance</c>). Any thread; allocates nothing.</summary>
internal interface IPicker
{
    /// <param name="available">The picker's members that are available for new connections.</param>
    /// <param name="tried">Indices of members to which this connection has already failed to connect.</param>
    /// <param name="admission">Decides which members may take one more connection; null means all of them.</param>
    /// <returns>The index of a member, or <see cref="HashPicker.None"/>.</returns>
    int Pick(in FourTuple tuple, AvailableSet available, ReadOnlySpan<ushort> tried, IAdmission? admission);
}
