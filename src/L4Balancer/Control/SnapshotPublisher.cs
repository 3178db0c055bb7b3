using System.Collections.Immutable;
using L4Balancer.Core.Routing;
using L4Balancer.Engine;

namespace L4Balancer.Control;

/// <summary>
/// Holds what is in force, and replaces it: builds a snapshot, has it prepared, gives it to the engine, and has it committed. Any thread
/// may read; only the control loop writes.
/// </summary>
internal sealed class SnapshotPublisher
{
    private readonly IEngine _engine;
    private volatile ActiveConfig _now;

    /// <param name="first">The state that the engine was started with.</param>
    /// <param name="participants">In the order in which they are called.</param>
    public SnapshotPublisher(ActiveConfig first, IEngine engine, ImmutableArray<ISnapshotParticipant> participants)
    {
        _now = first;
        _engine = engine;
        Participants = participants;
        foreach (ISnapshotParticipant participant in participants)
        {
            participant.Commit(null, first.Snapshot);
        }
    }

    public ImmutableArray<ISnapshotParticipant> Participants { get; }

    /// <summary>Called on the control loop when the desired state has changed; must neither block nor throw.</summary>
    public Action<DesiredState> Changed { get; set; } = static _ => { };

    /// <summary>Adds what holds beside the file, before a snapshot is built; called on the control loop.</summary>
    public Func<DesiredState, DesiredState> Complete { get; set; } = static desired => desired;

    /// <summary>Puts the packet listeners of a snapshot in force, before the engine gets it; what it answers is why they are not.</summary>
    public Func<RoutingSnapshot, IReadOnlyList<ListenFailure>> Forward { get; set; } = static _ => [];

    public ActiveConfig Now => _now;

    /// <summary>Records that the snapshot in force was changed in place to match this state.</summary>
    public void Amend(DesiredState desired)
    {
        _now = _now with { Desired = desired };
        Changed(desired);
    }

    /// <summary>Only the engine and what forwards packets can refuse a snapshot, so every participant commits after both have accepted it.</summary>
    /// <returns>Why it is refused; nothing has changed then. Empty if it is in force.</returns>
    public IReadOnlyList<ListenFailure> Publish(DesiredState desired)
    {
        desired = Complete(desired);
        return Publish(desired, RoutingSnapshot.Build(desired, _now.Snapshot));
    }

    /// <summary>As <see cref="Publish(DesiredState)"/>, of a snapshot that differs from the one in force in what is no input of it.</summary>
    public IReadOnlyList<ListenFailure> Publish(Func<RoutingSnapshot, RoutingSnapshot> change) => Publish(_now.Desired, change(_now.Snapshot));

    private IReadOnlyList<ListenFailure> Publish(DesiredState desired, RoutingSnapshot next)
    {
        RoutingSnapshot before = _now.Snapshot;
        foreach (ISnapshotParticipant participant in Participants)
        {
            participant.Prepare(next);
        }

        IReadOnlyList<ListenFailure> failures = Forward(next);
        failures = failures.Count > 0 ? failures : _engine.Publish(next);
        if (failures.Count > 0)
        {
            // Of several interfaces the first may have been changed.
            _ = Forward(before);
        }
        else
        {
            _now = new ActiveConfig(desired, next);
            foreach (ISnapshotParticipant participant in Participants)
            {
                participant.Commit(before, next);
            }

            Changed(desired);
        }

        return failures;
    }
}
