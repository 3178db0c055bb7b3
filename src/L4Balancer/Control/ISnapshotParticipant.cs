using L4Balancer.Core.Routing;

namespace L4Balancer.Control;

/// <summary>
/// A part of the control plane whose state follows the snapshot in force. <see cref="SnapshotPublisher"/> calls all of them in a fixed order,
/// on the control loop.
/// </summary>
internal interface ISnapshotParticipant
{
    /// <summary>
    /// Sets in a snapshot what must be right at the moment when the engine begins to use it. Must not change anything else, because the
    /// snapshot may still be dropped.
    /// </summary>
    void Prepare(RoutingSnapshot next)
    {
    }

    /// <summary>The engine uses the snapshot from now on.</summary>
    /// <param name="before">The previous snapshot; null for the first.</param>
    void Commit(RoutingSnapshot? before, RoutingSnapshot now);
}
