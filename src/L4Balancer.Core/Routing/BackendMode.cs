namespace L4Balancer.Core.Routing;

/// <summary>The mode that an operator set for a backend at run time.</summary>
public enum BackendMode : byte
{
    /// <summary>It takes new connections while it is healthy.</summary>
    Ready,

    /// <summary>No new connections; the established ones end by themselves.</summary>
    Draining,

    /// <summary>No new connections; the backend is under maintenance.</summary>
    Maintenance,
}
