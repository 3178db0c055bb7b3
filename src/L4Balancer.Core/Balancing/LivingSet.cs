namespace L4Balancer.Core.Balancing;

/// <summary>Which members of a ring may receive new connections at this moment. Immutable; a change is a new object.</summary>
public sealed class LivingSet
{
    private readonly RingMember[] _living;

    private LivingSet(RingMember[] living) => _living = living;

    public int Count => _living.Length;

    public static LivingSet Of(ReadOnlySpan<RingMember> living) => new(living.ToArray());

    public bool Contains(int index) => Array.Exists(_living, m => m.Index == index);
}
