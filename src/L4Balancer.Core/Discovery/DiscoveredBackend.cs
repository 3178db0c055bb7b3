using L4Balancer.Core.Addressing;

namespace L4Balancer.Core.Discovery;

/// <summary>A backend that a source reports. Immutable.</summary>
/// <param name="Address">Always an IP address and a port: the place on the ring depends on its text, and a name could resolve differently elsewhere.</param>
public sealed record DiscoveredBackend(Endpoint Address)
{
    /// <summary>The name that the source gives it; empty if it gives none, so that the text of the address is its name.</summary>
    public string Name { get; init; } = "";

    /// <summary>0 to 1000; 0 means no new connections.</summary>
    public int Weight { get; init; } = 100;

    /// <summary>Used only while no other backend of the pool lives.</summary>
    public bool Backup { get; init; }

    /// <summary>Maximum number of connections; 0 means no limit for this backend.</summary>
    public int MaxConnections { get; init; }

    /// <summary>What the endpoint API hands out; empty if the backend has no public URL.</summary>
    public string PublicUrl { get; init; } = "";
}
