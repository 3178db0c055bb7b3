using System.Collections.Immutable;
using L4Balancer.Core.Routing;
using L4Balancer.Engine;

namespace L4Balancer.Control;

/// <summary>
/// Holds what is in force, and replaces it: builds a snapshot, has it prepared, gives it to the engine, and has it committed. Any thread may
/// read; only the control loop changes anything.
/// </summary>
internal sealed class SnapshotPublisher
{
    private readonly IEngine _engine;
    private volatile InForce _now;

    /// <param name="first">What the engine was started with.</param>
    /// <param name="participants">In the order in which they are called.</param>
    public SnapshotPublisher(InForce first, IEngine engine, ImmutableArray<ISnapshotParticipant> participants)
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

    public InForce Now => _now;

    /// <summary>The snapshot in force has been changed in place to what this says.</summary>
    public void Amend(DesiredState desired) => _now = _now with { Desired = desired };

    /// <summary>The engine alone can refuse a snapshot, so every participant commits after it has taken it.</summary>
    /// <returns>Why the engine did not take it: then nothing has changed. Empty where it is in force.</returns>
    public IReadOnlyList<ListenFailure> Publish(DesiredState desired)
    {
        RoutingSnapshot before = _now.Snapshot;
        RoutingSnapshot next = RoutingSnapshot.Build(desired, before);
        foreach (ISnapshotParticipant participant in Participants)
        {
            participant.Prepare(next);
        }

        IReadOnlyList<ListenFailure> failures = _engine.Publish(next);
        if (failures.Count == 0)
        {
            _now = new InForce(desired, next);
            foreach (ISnapshotParticipant participant in Participants)
            {
                participant.Commit(before, next);
            }
        }

        return failures;
    }
}
