namespace L4Balancer.Core.Accounting;

/// <summary>A passive-health event: what the connect of a client means for the backend's state.</summary>
public enum PassiveHealthEvent
{
    /// <summary>No event.</summary>
    None,

    /// <summary>The threshold of consecutive failures is reached; the backend should be marked down.</summary>
    Failing,

    /// <summary>A connect succeeded after <see cref="Failing"/> was reported, or a trial connect succeeded.</summary>
    Working,

    /// <summary>The trial connect failed.</summary>
    TrialFailed,
}
