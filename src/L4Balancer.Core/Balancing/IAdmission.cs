namespace L4Balancer.Core.Balancing;

/// <summary>
/// Decides which members may take one more connection at this moment: limits, bounded load, slow start, rebalancing. Called during
/// a pick, so implementations must not block or allocate.
/// </summary>
public interface IAdmission
{
    /// <param name="member">Index of the backend in its pool.</param>
    /// <param name="hash">
    /// Hash of the connection's key, the same for every member that is considered. A member that takes only a share of the connections
    /// selects them by it.
    /// </param>
    bool Admits(int member, ulong hash);
}
