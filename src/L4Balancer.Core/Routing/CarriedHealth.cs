using L4Balancer.Core.Addressing;
using L4Balancer.Core.Health;
using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Routing;

/// <summary>What a process knows of the health of one backend, for another that takes its place. Immutable.</summary>
/// <param name="Endpoint">Where it was probed: what is known holds for no other address.</param>
public sealed record CarriedHealth(string Pool, string Backend, Endpoint Endpoint, TrackedHealth Tracked)
{
    /// <summary>As <see cref="Accounting.HealthCounters.Detail"/>.</summary>
    public string Detail { get; init; } = "";

    public LastProbe? Last { get; init; }

    /// <summary>Zero: there was none.</summary>
    public Instant LastTransition { get; init; }

    /// <summary>Failed connects since the last successful one.</summary>
    public int FailedConnects { get; init; }

    public string ConnectFault { get; init; } = "";

    /// <summary>Whether they were reported to the control plane.</summary>
    public bool IsConnectFaultTold { get; init; }

    /// <summary>Without probes: when a trial connection is let through; never: none is planned.</summary>
    public Instant TrialAt { get; init; } = Instant.Never;

    public BackendStatus Status { get; init; }

    /// <summary>Since when it has had that status; zero: not known.</summary>
    public Instant StatusSince { get; init; }
}
