using L4Balancer.Core.Balancing;

namespace L4Balancer.Core.Routing;

/// <summary>
/// The second attempt of a pick, when the full rules admit no backend: connection limits still apply, but bounded load, slow start and
/// rebalancing do not, because they are no reason to refuse a connection.
/// </summary>
internal sealed class LimitsOnly(PoolAdmission admission) : IAdmission
{
    public bool Admits(int member, ulong hash) => admission.HasRoom(member);
}
