namespace L4Balancer.Core.Routing;

/// <summary>How a backend stands, as metrics, listings and the page show it. What an operator set comes before what probes say.</summary>
public enum BackendState : byte
{
    Up,

    /// <summary>Connects succeed, but the application does not answer as it should: no new connections, and the established stay.</summary>
    Degraded,

    /// <summary>Connects fail: no new connections.</summary>
    Down,

    /// <summary>It leaves: by an operator's word, or because it is in the file no more.</summary>
    Draining,

    Maintenance,
}
