namespace L4Balancer.Core.Balancing;

/// <summary>
/// Who may take one more connection at this moment: limits, bounded load, slow start, rebalancing. Asked on the way of a pick, so it
/// answers at once and allocates nothing.
/// </summary>
public interface IAdmission
{
    /// <param name="member">Index of the backend in its pool.</param>
    /// <param name="hash">Of the connection's key, the same at every step of its walk: a member that takes only a share takes it by this.</param>
    bool Admits(int member, ulong hash);
}
