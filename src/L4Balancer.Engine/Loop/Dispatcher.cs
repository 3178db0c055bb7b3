using L4Balancer.Core.Connections;

namespace L4Balancer.Engine.Loop;

/// <summary>
/// Brings an event, a turn or an expired deadline of a connection to the stage that the connection has reached: <see cref="Inspector"/>,
/// <see cref="Dialer"/>, <see cref="Relay"/> or <see cref="Closer"/>.
/// </summary>
internal sealed class Dispatcher(Worker worker)
{
    /// <summary>Handles an event of one of the connection's sockets.</summary>
    public void Handle(EventTag tag, PollEvents events)
    {
        ref Slot slot = ref worker.Slots[tag.Index];
        SideState reported = SideStateOf(events);
        if (tag.IsBackend)
        {
            slot.BackendState |= reported;
        }
        else
        {
            slot.ClientState |= reported;
        }

        switch (slot.State)
        {
            case SlotState.Inspecting:
                worker.Inspector.ClientEvent(ref slot, events);
                break;
            case SlotState.Connecting or SlotState.Pausing:
                worker.Dialer.SideEvent(ref slot, tag.IsBackend, events);
                break;
            case SlotState.Established:
                if (slot.IsRelaying && (events & PollEvents.Error) != 0)
                {
                    worker.Relay.SideFailed(ref slot, tag.IsBackend ? Side.Backend : Side.Client);
                }
                else if (slot.IsFlushing && (events & (PollEvents.Error | PollEvents.HangUp)) != 0)
                {
                    worker.Closer.ContinueFlushing(ref slot);
                    break;
                }

                Continue(ref slot);
                break;
            default:
                break;
        }
    }

    /// <summary>Continues a connection that was scheduled by <see cref="Worker.MakeReady"/>.</summary>
    public void Continue(int index)
    {
        ref Slot slot = ref worker.Slots[index];
        if (slot.State == SlotState.Established)
        {
            Continue(ref slot);
        }
        else if (slot.State == SlotState.Inspecting)
        {
            worker.Inspector.Look(ref slot);
        }
    }

    public void DeadlinePassed(int index)
    {
        ref Slot slot = ref worker.Slots[index];
        switch (slot.State)
        {
            case SlotState.Inspecting:
                worker.Inspector.DeadlinePassed(ref slot);
                break;
            case SlotState.Connecting or SlotState.Pausing:
                worker.Dialer.DeadlinePassed(ref slot);
                break;
            case SlotState.Free or SlotState.Frozen:
                break;
            default:
                worker.Closer.DeadlinePassed(ref slot);
                break;
        }
    }

    // While a connection is being flushed, other events than its end carry no new information: its timer checks the send queues.
    private void Continue(ref Slot slot)
    {
        if (slot.End.Phase == EndPhase.Relaying)
        {
            worker.Relay.Turn(ref slot);
        }
        else if (slot.End.Phase == EndPhase.Lingering)
        {
            worker.Closer.ContinueLingering(ref slot);
        }
    }

    private static SideState SideStateOf(PollEvents events)
    {
        SideState state = SideState.None;
        if ((events & (PollEvents.PeerFinished | PollEvents.HangUp | PollEvents.Error)) != 0)
        {
            state = SideState.Ending | SideState.Readable;
        }

        if ((events & PollEvents.Readable) != 0)
        {
            state |= SideState.Readable;
        }

        if ((events & PollEvents.Urgent) != 0)
        {
            state |= SideState.Urgent;
        }

        return (events & PollEvents.Writable) != 0 ? state | SideState.Writable : state;
    }
}
