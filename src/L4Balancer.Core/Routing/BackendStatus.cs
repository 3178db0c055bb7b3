namespace L4Balancer.Core.Routing;

/// <summary>
/// The state of a backend in metrics, listings and the status page. A mode set by an operator takes precedence over health.
/// </summary>
public enum BackendStatus : byte
{
    Up,

    /// <summary>Connects succeed, but the application does not answer as it should: no new connections; established ones stay.</summary>
    Degraded,

    /// <summary>Connects fail: no new connections.</summary>
    Down,

    /// <summary>The backend is leaving: an operator drains it, or the file no longer has it.</summary>
    Draining,

    Maintenance,

    /// <summary>
    /// The backend joined a running balancer or has a new address, and its first probe has not ended: new connections only while no other
    /// backend of its pool is available.
    /// </summary>
    Checking,
}
