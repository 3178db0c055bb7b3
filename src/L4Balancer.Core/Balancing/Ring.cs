using L4Balancer.Core.Addressing;

namespace L4Balancer.Core.Balancing;

/// <summary>A weighted consistent-hash ring.</summary>
public sealed class Ring
{
    /// <summary>No member can take the connection.</summary>
    public const int None = -1;

    private readonly RingMember[] _members;

    private Ring(RingMember[] members) => _members = members;

    public static Ring Build(ReadOnlySpan<RingMember> members) => new(members.ToArray());

    public int Pick(in FourTuple tuple, TupleFields fields, LivingSet living, ReadOnlySpan<ushort> tried)
    {
        foreach (RingMember member in _members)
        {
            if (living.Contains(member.Index) && !tried.Contains((ushort)member.Index))
            {
                return member.Index;
            }
        }

        return None;
    }
}
