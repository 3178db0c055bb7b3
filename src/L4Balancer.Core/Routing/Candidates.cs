using L4Balancer.Core.Addressing;
using L4Balancer.Core.Balancing;

namespace L4Balancer.Core.Routing;

/// <summary>Half of a pool, the primaries or the backups, as it stands at one moment. Immutable; any thread may pick.</summary>
/// <param name="isUnlimited">Whether everybody may take any number, unless the pool is being rebalanced.</param>
internal sealed class Candidates(IPicker picker, LivingSet living, PoolAdmission admission, bool isUnlimited)
{
    private readonly LimitsOnly _limits = new(admission);

    public int Count => living.Count;

    public bool Contains(int backend) => living.Contains(backend);

    public int Pick(in FourTuple tuple, ReadOnlySpan<ushort> tried)
    {
        if (isUnlimited && !admission.IsRebalancing)
        {
            return picker.Pick(tuple, living, tried, null);
        }

        int picked = picker.Pick(tuple, living, tried, admission);
        return picked == Walk.None ? picker.Pick(tuple, living, tried, _limits) : picked;
    }

    /// <summary>Where the connection would go if everybody could take any number.</summary>
    public int Home(in FourTuple tuple) => picker.Pick(tuple, living, [], null);
}
