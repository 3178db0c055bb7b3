namespace L4Balancer.Core.Health;

/// <summary>What probes, and the connects of clients, say of one backend.</summary>
public enum HealthState : byte
{
    /// <summary>It gets new connections.</summary>
    Up,

    /// <summary>Connects succeed, but the application does not answer as it should: no new connections.</summary>
    Degraded,

    /// <summary>Connects fail: no new connections.</summary>
    Down,

    /// <summary>Down, and nobody probes it: one connection of a client is let through to see.</summary>
    Trial,
}
