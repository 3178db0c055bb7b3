using L4Balancer.Core.Accounting;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Timing;
using L4Balancer.Engine.Linux;
using L4Balancer.Engine.Sockets;

namespace L4Balancer.Engine.Loop;

/// <summary>
/// Step 7 in the life of a connection: its end. An orderly end, a reset by one side and a close by the balancer all lead to one place
/// that closes the sockets, returns rented resources and writes one record.
/// </summary>
internal sealed unsafe class Closer(Worker worker)
{
    /// <summary>A connection that has lasted this long gets keepalive, and what else <see cref="LateOptions"/> has not set yet.</summary>
    private static readonly TimeSpan KeepaliveDelay = TimeSpan.FromSeconds(1);

    /// <summary>Maximum bytes to discard before other connections run.</summary>
    private const int DiscardPerTurn = 1024 * 1024;

    private int _flushing;

    /// <summary>Carries out what Core has decided about the end of the connection.</summary>
    public void Apply(ref Slot slot, EndActions actions)
    {
        worker.Notes.Ending(slot);
        if (actions == EndActions.None)
        {
            return;
        }

        if ((actions & EndActions.Close) != 0)
        {
            End(ref slot, actions);
            return;
        }

        SetDeadline(ref slot);
        if ((actions & EndActions.Linger) != 0)
        {
            ContinueLingering(ref slot);
        }
        else if ((actions & EndActions.Flush) != 0)
        {
            ContinueFlushing(ref slot);
        }
    }

    /// <summary>Starts an orderly close by the balancer; a connection that is being set up is abandoned.</summary>
    /// <returns>False if it is already being closed.</returns>
    public bool Close(ref Slot slot, CloseReason reason)
    {
        if (slot.Setup >= 0)
        {
            worker.Dialer.Abandon(ref slot, reason);
            return true;
        }

        if (slot.State == SlotState.Frozen)
        {
            return Migration.EndLater(ref slot, reason, abort: false);
        }

        EndActions actions = slot.End.CloseRequested(slot.Record, reason, worker.Now);
        Apply(ref slot, actions);
        return actions != EndActions.None;
    }

    /// <summary>As <see cref="Close(ref Slot, CloseReason)"/>; an exception ends this connection but not the request it is part of.</summary>
    public bool CloseGuarded(int index, CloseReason reason)
    {
        try
        {
            return Close(ref worker.Slots[index], reason);
        }
        catch (Exception e)
        {
            worker.Guard.Fail(index, e);
            return true;
        }
    }

    /// <summary>
    /// Releases the resources of a connection without a record: for one that was never counted, or whose regular end has failed.
    /// </summary>
    public void Drop(ref Slot slot)
    {
        worker.Ledger?.End(slot.Index);
        worker.Dialer.Drop(ref slot);
        EndFlushing(ref slot);
        if (slot.HasRelay)
        {
            ReleaseFlows(ref slot);
        }

        CloseSocket(ref slot.Client, reset: true);
        CloseSocket(ref slot.Backend, reset: true);
        worker.SetTimer(slot, Instant.Never);
        bool isEstablished = slot.HasRelay;
        worker.Slots.Return(slot.Index);
        worker.Unassign(isEstablished);
    }

    /// <summary>Closes at once by resetting both peers.</summary>
    public void Abort(ref Slot slot, CloseReason reason)
    {
        if (slot.Setup >= 0)
        {
            worker.Dialer.Abandon(ref slot, reason);
            return;
        }

        if (slot.State == SlotState.Frozen)
        {
            Migration.EndLater(ref slot, reason, abort: true);
            return;
        }

        Apply(ref slot, slot.End.Abort(reason));
    }

    /// <summary>Continues a lingering close: writes held bytes, then FIN, and discards incoming bytes until both peers have closed too.</summary>
    public void ContinueLingering(ref Slot slot)
    {
        FlushAndFinish(ref slot, ref slot.ToBackend, new Ends(ref slot, toBackend: true));
        FlushAndFinish(ref slot, ref slot.ToClient, new Ends(ref slot, toBackend: false));
        bool all = Discard(ref slot, new Ends(ref slot, toBackend: true));
        all &= Discard(ref slot, new Ends(ref slot, toBackend: false));
        if (all)
        {
            Apply(ref slot, slot.End.Settle(worker.Now));
        }
        else
        {
            worker.MakeReady(ref slot);
        }
    }

    public void DeadlinePassed(ref Slot slot)
    {
        if (slot.LacksKeepalive && worker.Now >= KeepaliveAt(slot))
        {
            LateOptions.SetAll(ref slot);
        }

        SendQueues queues = slot.End.NeedsQueues(slot.Record, slot.LastActivity, worker.Now) ? Queues(slot) : default;
        EndActions actions = slot.End.DeadlinePassed(slot.Record, slot.LastActivity, queues, worker.Now);
        if (actions == EndActions.None)
        {
            SetDeadline(ref slot);
        }
        else
        {
            Apply(ref slot, actions);
        }
    }

    /// <summary>Sets the slot's one timer to its earliest deadline. Traffic does not move the timer: activity is checked when it fires.</summary>
    public void SetDeadline(ref Slot slot)
    {
        worker.Notes.Ending(slot);
        Instant deadline = slot.End.NextDeadline(slot.Record, slot.LastActivity);
        worker.SetTimer(slot, slot.LacksKeepalive && KeepaliveAt(slot) < deadline ? KeepaliveAt(slot) : deadline);
    }

    /// <summary>Resets a client that the set-up has refused and already counted.</summary>
    public void EndRefused(ref Slot slot)
    {
        CloseSocket(ref slot.Client, reset: true);
        Free(ref slot);
    }

    private static SendQueues Queues(in Slot slot) => new(TcpSocket.Unacknowledged(slot.Client), TcpSocket.Unacknowledged(slot.Backend));

    private static Instant KeepaliveAt(in Slot slot) => slot.Record.EstablishedAt + KeepaliveDelay;

    private void FlushAndFinish(ref Slot slot, ref Flow flow, Ends ends)
    {
        if (slot.End.IsPassedOn(ends.From))
        {
            return;
        }

        long delivered = worker.Transfer.Deliver(ref flow, ends.Sink, ref ends.SinkState);
        if (delivered > 0)
        {
            bool toBackend = ends.To == Side.Backend;
            slot.Record.BytesToBackend += toBackend ? delivered : 0;
            slot.Record.BytesToClient += toBackend ? 0 : delivered;
            slot.Traffic!.Add(toBackend ? delivered : 0, toBackend ? 0 : delivered);
        }

        if (delivered >= 0 && flow.Held > 0)
        {
            return;
        }

        worker.Transfer.Release(ref slot, ends.To == Side.Backend);
        if (slot.End.Delivered(ends.From, sinkIsEnding: (ends.SinkState & SideState.Ending) != 0) != EndActions.None)
        {
            TcpSocket.ShutdownWrite(ends.Sink);
        }
    }

    /// <returns>False if more may remain than the limit allows to discard now.</returns>
    private bool Discard(ref Slot slot, Ends ends)
    {
        long discarded = 0;
        while (!slot.End.SourceEnded(ends.From) && (ends.SourceState & SideState.Readable) != 0)
        {
            // MSG_TRUNC on a TCP socket drops bytes without copying them (tcp(7)).
            SysResult received = TcpSocket.Receive(ends.Source, worker.Buffers.Scratch, BufferPool.Size, Libc.MSG_TRUNC);
            if (received.Errno == Errno.EAGAIN)
            {
                ends.SourceState &= ~SideState.Readable;
            }
            else if (received.IsError)
            {
                slot.End.ReadFailed(ends.From, ConnectErrors.LossOf(received.Errno), worker.Now);
            }
            else if (received.Value == 0)
            {
                slot.NoteFin(ends.From);
            }
            else if ((discarded += received.Value) >= DiscardPerTurn)
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>
    /// Looks whether the reset that ends the connection may be sent. It discards what the kernel still holds for the peer, so it is delayed
    /// until the peer has acknowledged everything or is gone itself.
    /// </summary>
    public void ContinueFlushing(ref Slot slot)
    {
        if (!slot.IsFlushing)
        {
            slot.IsFlushing = true;
            _flushing++;
        }

        bool unacknowledged = (!slot.End.IsLost(Side.Client) && TcpSocket.Unacknowledged(slot.Client) > 0)
            || (!slot.End.IsLost(Side.Backend) && TcpSocket.Unacknowledged(slot.Backend) > 0);
        EndActions actions = slot.End.Flushed(unacknowledged, worker.Now);
        if (actions == EndActions.None)
        {
            worker.SetTimer(slot, worker.Now + ConnectionEnd.FlushPollOf(_flushing));
        }
        else
        {
            End(ref slot, actions);
        }
    }

    private void EndFlushing(ref Slot slot)
    {
        if (slot.IsFlushing)
        {
            slot.IsFlushing = false;
            _flushing--;
        }
    }

    private void End(ref Slot slot, EndActions actions)
    {
        worker.Ledger?.End(slot.Index);
        EndFlushing(ref slot);
        ReleaseFlows(ref slot);
        CloseSocket(ref slot.Client, reset: (actions & EndActions.ResetClient) != 0);
        CloseSocket(ref slot.Backend, reset: (actions & EndActions.ResetBackend) != 0);
        slot.Record.Close(worker.Engine.Snapshot.State, slot.End.Reason, slot.End.LeavesTimeWait(actions), worker.Now);
        Free(ref slot);
    }

    private void ReleaseFlows(ref Slot slot)
    {
        worker.Transfer.Release(ref slot, toBackend: true);
        worker.Transfer.Release(ref slot, toBackend: false);
        worker.LongQueues.Forget(ref slot.ToBackend);
        worker.LongQueues.Forget(ref slot.ToClient);
    }

    // The field is cleared together with the close: if a later step throws, a second close would hit a reused descriptor number.
    private static void CloseSocket(ref int socket, bool reset)
    {
        int descriptor = socket;
        socket = Slot.NoDescriptor;
        if (descriptor == Slot.NoDescriptor)
        {
            return;
        }

        if (reset)
        {
            TcpSocket.Reset(descriptor);
        }
        else
        {
            TcpSocket.Close(descriptor);
        }
    }

    private void Free(ref Slot slot)
    {
        worker.SetTimer(slot, Instant.Never);
        try
        {
            worker.Engine.Options.Records.Ended(slot.Record);
        }
        catch (Exception e)
        {
            worker.Engine.Log.RecordNotTaken(slot.Record.Id, e);
        }

        bool isEstablished = slot.HasRelay;
        worker.Slots.Return(slot.Index);
        worker.Unassign(isEstablished);
    }
}
