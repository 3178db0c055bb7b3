namespace L4Balancer.Core.Health;

/// <summary>The result of one probe.</summary>
public enum ProbeOutcome
{
    Success,

    /// <summary>The connect failed: refused, unreachable, or timed out.</summary>
    Failure,

    /// <summary>The connect succeeded, but the backend did not answer as expected.</summary>
    Unfit,

    /// <summary>The balancer lacked a resource (descriptors, ports, memory). The probe is inconclusive.</summary>
    LocalError,
}
