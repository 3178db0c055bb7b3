namespace L4Balancer.Core.Balancing;

/// <summary>The number of points per member: the step function that docs/hashing.md publishes.</summary>
internal static class RingDensity
{
    private const int OrdinaryWeight = 100;

    /// <summary>The points of a member of weight 100 in a ring of the given size.</summary>
    /// <remarks>
    /// With 1,024 points a member's share deviates by about 3% (one standard deviation, 1/sqrt(points)). In larger rings each fourfold
    /// increase in size halves the points, and beyond 65,536 each doubling does, so that a ring never has more than 4.2 million points
    /// (60 MB), even with 65,536 members of weight 1000.
    /// </remarks>
    public static int BasePoints(int size) => size switch
    {
        <= 256 => 1024,
        <= 1024 => 512,
        <= 4096 => 256,
        <= 16_384 => 128,
        <= 65_536 => 64,
        <= 131_072 => 32,
        <= 262_144 => 16,
        <= 524_288 => 8,
        _ => 4,
    };

    /// <summary>
    /// The size that selects the step: the number of members, or the sum of the weights divided by 100, whichever is greater. Weights
    /// count because otherwise ten times the weight would take ten times the memory.
    /// </summary>
    public static int SizeOf(ReadOnlySpan<RingMember> members)
    {
        long weights = 0;
        foreach (RingMember member in members)
        {
            weights += member.Weight;
        }

        return (int)Math.Max(members.Length, (weights + OrdinaryWeight - 1) / OrdinaryWeight);
    }

    /// <summary>The points of one member: proportional to its weight, rounded half up, at least one.</summary>
    public static int PointsOf(int weight, int basePoints) =>
        Math.Max(1, ((basePoints * weight) + (OrdinaryWeight / 2)) / OrdinaryWeight);
}
