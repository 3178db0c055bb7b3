namespace L4Balancer.Core.Health;

/// <summary>How one probe ended.</summary>
public enum ProbeOutcome
{
    Success,

    /// <summary>The backend did not answer as it should.</summary>
    Failure,

    /// <summary>Our own shortage (descriptors, ports, memory): it says nothing about the backend.</summary>
    LocalError,
}
