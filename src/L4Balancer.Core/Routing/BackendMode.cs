namespace L4Balancer.Core.Routing;

/// <summary>What an operator wants of a backend at run time.</summary>
public enum BackendMode : byte
{
    /// <summary>It takes new connections while it is healthy.</summary>
    Ready,

    /// <summary>No new connections; the established ones end by themselves.</summary>
    Draining,

    /// <summary>No new connections; it is being worked on.</summary>
    Maintenance,
}
