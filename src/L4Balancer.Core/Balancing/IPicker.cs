namespace L4Balancer.Core.Balancing;

/// <summary>Chooses one of a pool's members (<c>balance</c>). Any thread; allocates nothing.</summary>
internal interface IPicker
{
    /// <param name="key">The key of the connection; only pickers that hash use it.</param>
    /// <param name="available">The picker's members that are available for new connections.</param>
    /// <param name="tried">Indices of members to which this connection has already failed to connect.</param>
    /// <param name="admission">Decides which members may take one more connection; null means all of them.</param>
    /// <returns>The index of a member, or <see cref="HashPicker.None"/>.</returns>
    int Pick(RouteKey key, AvailableSet available, ReadOnlySpan<ushort> tried, IAdmission? admission);
}
