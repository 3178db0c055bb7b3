using L4Balancer.Core.Balancing;

namespace L4Balancer.Core.Routing;

/// <summary>The admission that is left when nobody is admitted otherwise: a limit is a limit, but a wish is not worth a refusal.</summary>
internal sealed class LimitsOnly(PoolAdmission admission) : IAdmission
{
    public bool Admits(int member, ulong hash) => admission.HasRoom(member);
}
