namespace L4Balancer.Core.Health;

/// <summary>How one probe ended.</summary>
public enum ProbeOutcome
{
    Success,

    /// <summary>The connect failed: refused, unreachable, or no answer in time.</summary>
    Failure,

    /// <summary>The backend could be connected to, but did not answer as it should.</summary>
    Unfit,

    /// <summary>Our own shortage (descriptors, ports, memory): it says nothing about the backend.</summary>
    LocalError,
}
