namespace L4Balancer.Core.Balancing;

/// <summary>How many points a member has: the published step function of docs/hashing.md.</summary>
internal static class RingDensity
{
    private const int OrdinaryWeight = 100;

    /// <summary>The points of a member of weight 100 in a ring of the given size.</summary>
    /// <remarks>
    /// 1,024 points hold a member to about 3% of its share (one standard deviation, 1/sqrt(points)). From there each fourfold size
    /// halves them, beyond 65,536 each doubling, so that a ring never has more than 4.2 million points (60 MB), not even
    /// with 65,536 members of weight 1000.
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
    /// The size that chooses the step: the members, or the ordinary members whose weight they make up, whichever is more. Weights
    /// must count, or ten times the weight would be ten times the memory.
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

    /// <summary>Proportional to the weight, rounded half up, at least one.</summary>
    public static int PointsOf(int weight, int basePoints) =>
        Math.Max(1, ((basePoints * weight) + (OrdinaryWeight / 2)) / OrdinaryWeight);
}
