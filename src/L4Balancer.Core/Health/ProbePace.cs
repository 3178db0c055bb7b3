namespace L4Balancer.Core.Health;

/// <summary>How soon a backend is probed again.</summary>
public enum ProbePace : byte
{
    /// <summary>Nothing happens: <c>interval</c>.</summary>
    Steady,

    /// <summary>It may be about to change its state: <c>fast_interval</c>.</summary>
    Fast,

    /// <summary>It is not up: <c>down_interval</c>.</summary>
    Down,
}
