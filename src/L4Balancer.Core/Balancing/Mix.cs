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
}
