using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Timing;
using L4Balancer.Engine.Linux;
using L4Balancer.Engine.Sockets;

namespace L4Balancer.Engine.Loop;

/// <summary>
/// Steps 2 to 5 in the life of a connection: executes the decisions of Core's <see cref="ConnectionSetup"/>, connects, and reports the
/// outcome to it. The client's bytes stay in the kernel meanwhile.
/// </summary>
internal sealed class Dialer(Worker worker)
{
    private readonly Chunks<ConnectionSetup> _setups = new();
    private readonly Stack<int> _freeSetups = new();
    private readonly Connector _connector = new(worker);
    private int _highestSetup;

    /// <summary>Rents a slot for an accepted socket; the slot owns the socket from then on.</summary>
    public int Rent(in Handover handover)
    {
        // Growing either table may throw, so both entries are rented before the slot owns the socket.
        int setup = RentSetup();
        int index;
        try
        {
            index = worker.Slots.Rent();
        }
        catch
        {
            _freeSetups.Push(setup);
            throw;
        }

        ref Slot slot = ref worker.Slots[index];
        slot.Client = handover.Descriptor;
        slot.State = SlotState.Pausing;
        slot.LastActivity = worker.Now;
        slot.Setup = setup;
        slot.ClientIsUnix = handover.Peer.IsUnix;
        return index;
    }

    public void Begin(int index, in Handover handover)
    {
        (RoutingSnapshot snapshot, Listener listener) = handover.Listening.Target;
        Endpoint destination = handover.Listening.Endpoint;
        if (destination.Address.IsAny && !destination.IsUnix)
        {
            destination = TcpSocket.LocalEndpoint(handover.Descriptor);
        }

        ref Slot slot = ref worker.Slots[index];
        SetupStep step = _setups[slot.Setup].Accepted(
            ref slot.Record, snapshot, listener, new FourTuple(handover.Peer, destination), worker.Now);
        if (step.Action != SetupAction.Refuse
            && worker.Register(slot.Client, EventTag.Client(slot)).IsError)
        {
            step = Failed(ref slot, ConnectFailure.LocalShortage);
        }

        Apply(ref slot, step);
    }

    /// <summary>Handles an event on one of the two sockets.</summary>
    public void SideEvent(ref Slot slot, bool backend, PollEvents events)
    {
        if (!backend)
        {
            // FIN alone does not end the set-up: a client may finish its request before the backend is connected.
            // A UNIX socket reports a hang-up without an error when its client has closed, perhaps with a request still to be read.
            bool isReset = (events & PollEvents.Error) != 0
                || ((events & PollEvents.HangUp) != 0 && !slot.ClientIsUnix);
            if (isReset)
            {
                Abandon(ref slot, CloseReason.ClientReset);
            }
            else if ((events & (PollEvents.PeerFinished | PollEvents.HangUp)) != 0 && TcpSocket.Unread(slot.Client) == 0
                && _setups[slot.Setup].ClientFinished(slot.Record))
            {
                Abandon(ref slot, CloseReason.ClientClosed);
            }

            return;
        }

        bool failed = (events & (PollEvents.Error | PollEvents.HangUp)) != 0;
        Errno error = failed ? TcpSocket.TakeError(slot.Backend) : Errno.None;
        bool gone = ConnectErrors.IsOfConnected(error);
        if (error != Errno.None && !gone)
        {
            ref ConnectionSetup setup = ref _setups[slot.Setup];
            Apply(ref slot, Failed(ref slot, _connector.FailureOf(error, setup.Target, setup.IsTransparent, setup.PoolSettings)));
        }
        else if (gone || (events & PollEvents.Writable) != 0)
        {
            Connected(ref slot, gone);
        }
    }

    public void DeadlinePassed(ref Slot slot)
    {
        CloseBackend(ref slot);
        Apply(ref slot, _setups[slot.Setup].DeadlinePassed(ref slot.Record, worker.Engine.Snapshot, worker.IsLate, worker.Now));
    }

    /// <summary>Ends a connection that has no backend yet.</summary>
    public void Abandon(ref Slot slot, CloseReason reason) =>
        Apply(ref slot, _setups[slot.Setup].Abandon(ref slot.Record, reason, worker.Now));

    /// <summary>Releases the set-up state of a connection without counting anything.</summary>
    public void Drop(ref Slot slot)
    {
        if (slot.Setup >= 0)
        {
            ReturnSetup(ref slot);
        }
    }

    /// <summary>The set-up of a connection that has no backend yet.</summary>
    public ref ConnectionSetup SetupOf(in Slot slot) => ref _setups[slot.Setup];

    /// <summary>Carries out what the set-up has decided.</summary>
    public void Apply(ref Slot slot, SetupStep step)
    {
        while (true)
        {
            switch (step.Action)
            {
                case SetupAction.Connect:
                    ConnectFailure? failure = Connect(ref slot, step);
                    if (failure is null)
                    {
                        return;
                    }

                    step = Failed(ref slot, failure.Value);
                    break;
                case SetupAction.Inspect:
                    worker.Inspector.Begin(ref slot, step.Deadline);
                    return;
                case SetupAction.Wait:
                    slot.State = SlotState.Pausing;
                    worker.SetTimer(slot, step.Deadline);
                    return;
                case SetupAction.Relay:
                    return;
                default:
                    CloseBackend(ref slot);
                    ReturnSetup(ref slot);
                    worker.Closer.EndRefused(ref slot);
                    return;
            }
        }
    }

    /// <returns>Null if the connect is in progress; an event or the deadline continues it.</returns>
    private ConnectFailure? Connect(ref Slot slot, SetupStep step)
    {
        if (_connector.Begin(ref slot, step, _setups[slot.Setup].PoolSettings) is { } failure)
        {
            return failure;
        }

        // Registered only after connect(2), because a socket without a peer reports a hang-up (EPOLLHUP).
        if (worker.Register(slot.Backend, EventTag.Backend(slot)).IsError)
        {
            return ConnectFailure.LocalShortage;
        }

        slot.State = SlotState.Connecting;
        worker.SetTimer(slot, step.Deadline);
        return null;
    }

    /// <param name="gone">The backend has already reset it and the error was cleared, so the relay would read a normal end of stream.</param>
    private void Connected(ref Slot slot, bool gone)
    {
        Endpoint local = TcpSocket.LocalEndpoint(slot.Backend);
        if (local == _setups[slot.Setup].Target)
        {
            // The kernel chose the target's own port, on which no socket listens, and TCP's simultaneous open (RFC 9293, 3.5) connected the
            // socket to itself.
            Apply(ref slot, Failed(ref slot, ConnectFailure.Refused));
            return;
        }

        ref ConnectionSetup setup = ref _setups[slot.Setup];
        (SendProxy proxy, InspectKind inspects, int limit) = (setup.PoolSettings.SendProxy, setup.Inspects, setup.InspectLimit);
        worker.Slots.BeginRelay(ref slot);
        worker.NoteEstablished();
        setup.Connected(ref slot.Record, local, worker.Now);
        ReturnSetup(ref slot);
        slot.State = SlotState.Established;
        slot.Traffic = slot.Record.Backend!.Traffic(worker.Number);
        slot.LastActivity = worker.Now;
        worker.Engine.Options.Records.Established(slot.Record);
        LateOptions.Begin(ref slot, local.IsUnix);
        worker.Closer.SetDeadline(ref slot);
        if (gone)
        {
            worker.Relay.PeerGone(ref slot, Side.Backend, Errno.ECONNRESET);
        }
        else if (proxy != SendProxy.None)
        {
            worker.ProxySender.Send(ref slot, proxy, inspects, limit);
        }

        worker.Notes.Established(slot);
        worker.Relay.Turn(ref slot);
    }

    private SetupStep Failed(ref Slot slot, ConnectFailure failure)
    {
        CloseBackend(ref slot);
        return _setups[slot.Setup].ConnectFailed(ref slot.Record, failure, worker.Now);
    }

    private static void CloseBackend(ref Slot slot)
    {
        if (slot.Backend != Slot.NoDescriptor)
        {
            TcpSocket.Close(slot.Backend);
            slot.Backend = Slot.NoDescriptor;
        }
    }

    private int RentSetup()
    {
        if (_freeSetups.TryPop(out int index))
        {
            return index;
        }

        _setups.Grow(_highestSetup);
        return _highestSetup++;
    }

    private void ReturnSetup(ref Slot slot)
    {
        // A free entry would keep the snapshot of its last connection alive.
        _setups[slot.Setup] = default;
        _freeSetups.Push(slot.Setup);
        slot.Setup = -1;
    }
}
