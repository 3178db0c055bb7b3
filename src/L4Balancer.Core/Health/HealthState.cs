namespace L4Balancer.Core.Health;

/// <summary>Health of one backend, derived from probes and from the connects made for clients.</summary>
public enum HealthState : byte
{
    /// <summary>The backend receives new connections.</summary>
    Up,

    /// <summary>Connects succeed, but the application does not answer as expected. The backend receives no new connections.</summary>
    Degraded,

    /// <summary>Connects fail. The backend receives no new connections.</summary>
    Down,

    /// <summary>As a half-open circuit breaker: the backend is down and has no probes, so one client connection is allowed through as a test.</summary>
    HalfOpen,

    /// <summary>
    /// The backend joined a running balancer, or its address has changed, and no probe has decided yet. It receives new connections only
    /// where no other backend of its pool is available.
    /// </summary>
    Checking,
}
