using L4Balancer.Core.Accounting;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Timing;
using L4Balancer.Engine.Linux;
using L4Balancer.Engine.Sockets;

namespace L4Balancer.Engine.Epoll;

/// <summary>
/// Step 7 in the life of a connection: how it ends. In good order, by a reset of one side, or closed by us; each way leads to one
/// place where sockets are closed, what was rented goes back, and one record goes out.
/// </summary>
internal sealed unsafe class Closer(Worker worker)
{
    /// <summary>How long what is under way at a close may take: writing what was received, or waiting for the peers' FIN.</summary>
    private static readonly TimeSpan CloseGrace = TimeSpan.FromSeconds(5);

    /// <summary>How often a send queue is looked at that has to be empty before a reset.</summary>
    private static readonly TimeSpan SendQueuePoll = TimeSpan.FromMilliseconds(5);

    /// <summary>The four calls that switch keepalive on are 2% of what a connection of one request costs, which has no use for it.</summary>
    private static readonly TimeSpan KeepaliveDelay = TimeSpan.FromSeconds(1);

    /// <summary>Bytes that one turn may discard before others get theirs.</summary>
    private const int DiscardPerTurn = 1024 * 1024;

    /// <summary>Both directions are through: the connection ends, or the one side that still lives gets its reset.</summary>
    public void BothDone(int index, ref Slot slot)
    {
        if (((slot.ClientState | slot.BackendState) & SideState.Reset) == 0)
        {
            slot.Cause.TrySet(slot.FirstEnd);
            End(index, ref slot, resetClient: false, resetBackend: false);
            return;
        }

        slot.State = SlotState.Delivering;
        LimitGrace(index, ref slot);
        ContinueDelivering(index, ref slot);
    }

    /// <summary>Closed by us, in good order; what is being set up is abandoned.</summary>
    /// <returns>False where it is on its way out already.</returns>
    public bool Close(int index, ref Slot slot, CloseReason reason)
    {
        if (slot.Setup >= 0)
        {
            worker.Dialer.Abandon(index, ref slot, reason);
            return true;
        }

        if (slot.State != SlotState.Relaying || !slot.Cause.TrySet(reason))
        {
            return false;
        }

        if (reason.IsPaced())
        {
            slot.Record.Backend!.Shed.Count(reason);
        }

        slot.State = SlotState.Leaving;
        LimitGrace(index, ref slot);
        ContinueLeaving(index, ref slot);
        return true;
    }

    /// <summary>As <see cref="Close(int, ref Slot, CloseReason)"/>; an exception ends this connection, and not the request that it was part of.</summary>
    public bool CloseGuarded(int index, CloseReason reason)
    {
        try
        {
            return Close(index, ref worker.Slots[index], reason);
        }
        catch (Exception e)
        {
            worker.Fail(index, e);
            return true;
        }
    }

    /// <summary>
    /// Gives back what a connection holds and says nothing of it: for one that was never counted, or that cannot be ended as it should be.
    /// </summary>
    public void Drop(int index, ref Slot slot)
    {
        worker.Dialer.Drop(ref slot);
        worker.Transfer.Release(ref slot.ToBackend);
        worker.Transfer.Release(ref slot.ToClient);
        CloseSocket(ref slot.Client, reset: true);
        CloseSocket(ref slot.Backend, reset: true);
        worker.SetTimer(index, Instant.Never);
        worker.Slots.Return(index);
        worker.Unassign();
    }

    /// <summary>Closed without waiting for anything: both peers are reset.</summary>
    public void Abort(int index, ref Slot slot, CloseReason reason)
    {
        if (slot.Setup >= 0)
        {
            worker.Dialer.Abandon(index, ref slot, reason);
            return;
        }

        slot.Cause.TrySet(reason);
        End(index, ref slot, resetClient: true, resetBackend: true);
    }

    /// <summary>While leaving: write what was read, then FIN; and discard what still comes until both peers have closed too.</summary>
    public void ContinueLeaving(int index, ref Slot slot)
    {
        Leave(ref slot, ref slot.ToBackend, slot.ToClient, slot.Backend, ref slot.BackendState);
        Leave(ref slot, ref slot.ToClient, slot.ToBackend, slot.Client, ref slot.ClientState);
        bool all = Discard(ref slot.ToBackend, slot.Client, ref slot.ClientState);
        all &= Discard(ref slot.ToClient, slot.Backend, ref slot.BackendState);
        if (!all)
        {
            worker.MakeReady(index, ref slot);
        }
        else if (slot.ToBackend is { Done: true, SourceEnded: true } && slot.ToClient is { Done: true, SourceEnded: true })
        {
            End(index, ref slot, resetClient: false, resetBackend: false);
        }
    }

    public void DeadlinePassed(int index, ref Slot slot)
    {
        if (slot.LacksKeepalive && worker.Now >= KeepaliveAt(slot))
        {
            Keep(ref slot);
        }

        bool graceIsOver = worker.Now >= slot.CloseBy;
        switch (slot.State)
        {
            case SlotState.Delivering:
                ContinueDelivering(index, ref slot);
                break;
            case SlotState.Leaving when graceIsOver:
                // Whoever has received everything and our FIN needs no reset, unless it sends again: the kernel answers that.
                End(index, ref slot, resetClient: slot.ToClient.Held > 0, resetBackend: slot.ToBackend.Held > 0);
                break;
            case SlotState.Relaying when graceIsOver:
                End(index, ref slot, resetClient: true, resetBackend: true);
                break;
            case SlotState.Relaying when worker.Now >= QuietUntil(slot):
                Close(index, ref slot, slot.FirstEnd == CloseReason.None ? CloseReason.IdleTimeout : CloseReason.HalfCloseTimeout);
                break;
            case SlotState.Relaying when worker.Now >= slot.Age.Due(slot.Record) && !slot.Age.TryReserve(slot.Record, worker.Now):
                Close(index, ref slot, CloseReason.MaxAge);
                break;
            default:
                SetDeadline(index, ref slot);
                break;
        }
    }

    /// <summary>From now on there are five seconds for what is under way; a limit that is set already stays.</summary>
    public void LimitGrace(int index, ref Slot slot)
    {
        if (slot.CloseBy == Instant.Never)
        {
            slot.CloseBy = worker.Now + CloseGrace;
        }

        SetDeadline(index, ref slot);
    }

    /// <summary>Sets the slot's one timer to the earliest of its deadlines. Traffic does not move it: it is looked at when it fires.</summary>
    public void SetDeadline(int index, ref Slot slot)
    {
        Instant quiet = slot.State == SlotState.Relaying ? QuietUntil(slot) : Instant.Never;
        Instant aged = slot.State == SlotState.Relaying ? slot.Age.Due(slot.Record) : Instant.Never;
        Instant deadline = quiet < slot.CloseBy ? quiet : slot.CloseBy;
        deadline = aged < deadline ? aged : deadline;
        worker.SetTimer(index, slot.LacksKeepalive && KeepaliveAt(slot) < deadline ? KeepaliveAt(slot) : deadline);
    }

    /// <summary>Gives the backend's socket its keepalive, now that the connection is there to stay.</summary>
    public static void Keep(ref Slot slot)
    {
        slot.LacksKeepalive = false;
        SocketOptions.Keep(slot.Backend, slot.Record.Origin.Policy.Keepalive);
    }

    /// <summary>The set-up refused the client, and has counted it.</summary>
    public void EndRefused(int index, ref Slot slot)
    {
        CloseSocket(ref slot.Client, reset: true);
        Free(index, ref slot);
    }

    private static Instant KeepaliveAt(in Slot slot) => slot.Record.EstablishedAt + KeepaliveDelay;

    private static Instant QuietUntil(in Slot slot)
    {
        ConnectionPolicy policy = slot.Record.Origin.Policy;
        return slot.LastActivity.After(slot.FirstEnd == CloseReason.None ? policy.IdleTimeout : policy.HalfCloseTimeout);
    }

    private void Leave(ref Slot slot, ref Flow flow, in Flow back, int sink, ref SideState sinkState)
    {
        if (flow.Done)
        {
            return;
        }

        long delivered = worker.Transfer.Deliver(ref flow, sink, ref sinkState);
        if (delivered > 0)
        {
            bool toBackend = sink == slot.Backend;
            slot.Record.BytesToBackend += toBackend ? delivered : 0;
            slot.Record.BytesToClient += toBackend ? 0 : delivered;
            slot.Traffic!.Add(toBackend ? delivered : 0, toBackend ? 0 : delivered);
        }

        if (delivered >= 0 && flow.Held > 0)
        {
            return;
        }

        worker.Transfer.Release(ref flow);
        flow.Done = true;
        Relay.Finish(sink, back, ref sinkState);
    }

    /// <returns>False where there may be more to discard than one turn allows.</returns>
    private bool Discard(ref Flow flow, int source, ref SideState sourceState)
    {
        long discarded = 0;
        while (!flow.SourceEnded && (sourceState & SideState.Readable) != 0)
        {
            // MSG_TRUNC on a TCP socket drops bytes without copying them (tcp(7)).
            SysResult received = TcpSocket.Receive(source, worker.Buffers.Scratch, BufferPool.Size, Libc.MSG_TRUNC);
            if (received.Errno == Errno.EAGAIN)
            {
                sourceState &= ~SideState.Readable;
            }
            else if (received.IsError || received.Value == 0)
            {
                flow.SourceEnded = true;
            }
            else if ((discarded += received.Value) >= DiscardPerTurn)
            {
                return false;
            }
        }

        return true;
    }

    // A reset discards what the kernel still holds for the peer, so it has to wait until the peer has it all.
    private void ContinueDelivering(int index, ref Slot slot)
    {
        bool clientLives = (slot.ClientState & SideState.Reset) == 0;
        bool backendLives = (slot.BackendState & SideState.Reset) == 0;
        bool waits = (clientLives && TcpSocket.Unacknowledged(slot.Client) > 0)
            || (backendLives && TcpSocket.Unacknowledged(slot.Backend) > 0);
        if (waits && worker.Now < slot.CloseBy)
        {
            worker.SetTimer(index, worker.Now + SendQueuePoll);
            return;
        }

        End(index, ref slot, resetClient: clientLives, resetBackend: backendLives);
    }

    private void End(int index, ref Slot slot, bool resetClient, bool resetBackend)
    {
        worker.Transfer.Release(ref slot.ToBackend);
        worker.Transfer.Release(ref slot.ToClient);
        CloseSocket(ref slot.Client, resetClient);
        CloseSocket(ref slot.Backend, resetBackend);
        bool wasFirst = !resetBackend && (slot.BackendState & (SideState.FinFirst | SideState.Reset)) == SideState.FinFirst;
        slot.Record.Close(worker.Engine.Snapshot.Cell, slot.Cause.Reason, wasFirst, worker.Now);
        Free(index, ref slot);
    }

    // Forgotten with the close: where what follows throws, a second close would hit whoever has the number by then.
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

    private void Free(int index, ref Slot slot)
    {
        worker.SetTimer(index, Instant.Never);
        try
        {
            worker.Engine.Options.Records.Ended(slot.Record);
        }
        catch (Exception e)
        {
            worker.Engine.Log.RecordNotTaken(slot.Record.Id, e);
        }

        worker.Slots.Return(index);
        worker.Unassign();
    }
}
