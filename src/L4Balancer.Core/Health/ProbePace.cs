namespace L4Balancer.Core.Health;

/// <summary>The interval between probes of a backend.</summary>
public enum ProbePace : byte
{
    /// <summary>The state is stable: <c>interval</c>.</summary>
    Steady,

    /// <summary>A state change may be pending: <c>fast_interval</c>.</summary>
    Fast,

    /// <summary>The backend is not up: <c>down_interval</c>.</summary>
    Down,
}
