using L4Balancer.Core.Routing;

namespace L4Balancer.Control;

/// <summary>Shares with the other balancers what operators set on this one. The control plane knows nothing else of the fleet.</summary>
internal interface IOverrideSharing
{
    /// <summary>The name of this balancer in the fleet.</summary>
    string Id { get; }

    /// <summary>The state in force has changed, perhaps in another part. Called on the control loop; never blocks, never throws.</summary>
    void Follow(DesiredState desired);

    /// <summary>Completes when what was followed last is shared, or after a second, or at once while the store is away. Never throws.</summary>
    Task SharedAsync();
}
