using L4Balancer.Core.Addressing;

namespace L4Balancer.Core.Config;

/// <summary>One table <c>[[pools.backends]]</c>.</summary>
public sealed record BackendSettings
{
    public required string Name { get; init; }

    /// <summary>The address as written in the file; it determines the backend's position on the ring.</summary>
    public required string Address { get; init; }

    /// <summary>The address if it is an IP address; null if it is a host name.</summary>
    public Endpoint? Endpoint { get; init; }

    /// <summary>The address if it is a host name; null if it is an IP address.</summary>
    public HostName? Host { get; init; }

    /// <summary>0 to 1000; 0 means no new connections.</summary>
    public int Weight { get; init; } = 100;

    public bool Backup { get; init; }

    /// <summary>Maximum number of connections; 0 means no limit for this backend.</summary>
    public int MaxConnections { get; init; }
}
