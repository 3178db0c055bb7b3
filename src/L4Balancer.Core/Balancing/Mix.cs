namespace L4Balancer.Core.Balancing;

/// <summary>Maps consecutive numbers to pseudorandom numbers: the finalizer of SplitMix64 (Steele et al., OOPSLA 2014).</summary>
internal static class Mix
{
    public static ulong Of(ulong number)
    {
        ulong mixed = (number + 1) * 0x9E37_79B9_7F4A_7C15;
        mixed = (mixed ^ (mixed >> 30)) * 0xBF58_476D_1CE4_E5B9;
        mixed = (mixed ^ (mixed >> 27)) * 0x94D0_49BB_1331_11EB;
        return mixed ^ (mixed >> 31);
    }

    /// <summary>
    /// Slow start: whether a member that takes a share of the keys takes this one. Mixed again, because the hash may have chosen the member, and is not
    /// evenly distributed among the keys that chose it.
    /// </summary>
    /// <param name="ramp">How many of 2^64 mixed hashes it takes; <see cref="ulong.MaxValue"/>: every one.</param>
    public static bool Admits(ulong ramp, ulong hash, int member) => ramp == ulong.MaxValue || Of(hash ^ (ulong)member) < ramp;
}
