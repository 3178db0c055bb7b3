using L4Balancer.Core.Addressing;
using L4Balancer.Core.Balancing;

namespace L4Balancer.Core.Routing;

/// <summary>Half of a pool, the primaries or the backups, as it stands at one moment. Immutable; any thread may pick.</summary>
/// <param name="admission">Null where everybody may take any number.</param>
internal sealed class Candidates(IPicker picker, LivingSet living, PoolAdmission? admission)
{
    private readonly LimitsOnly? _limits = admission is null ? null : new LimitsOnly(admission);

    public int Count => living.Count;

    public int Pick(in FourTuple tuple, ReadOnlySpan<ushort> tried)
    {
        int picked = picker.Pick(tuple, living, tried, admission);
        return picked == Walk.None && _limits is not null ? picker.Pick(tuple, living, tried, _limits) : picked;
    }
}
