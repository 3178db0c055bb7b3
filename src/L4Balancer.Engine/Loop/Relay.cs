using L4Balancer.Core.Connections;
using L4Balancer.Engine.Ledger;
using L4Balancer.Engine.Linux;
using L4Balancer.Engine.Sockets;

namespace L4Balancer.Engine.Loop;

/// <summary>
/// Step 6 in the life of a connection: moves bytes both ways by <see cref="Transfer"/>. Each direction chooses independently between
/// copying and splicing. Bytes that the sink does not accept are held, and while any are held the source is not read.
/// </summary>
internal sealed class Relay(Worker worker)
{
    /// <summary>Maximum bytes that one direction moves per turn before other connections run.</summary>
    public const int BytesPerTurn = 1024 * 1024;

    /// <summary>A turn of splicing that moves less than this does not count as bulk.</summary>
    private const int SmallTurn = 32 * 1024;

    /// <summary>Moves in both directions what can be moved without blocking, then checks whether the connection has ended.</summary>
    public void Turn(ref Slot slot)
    {
        if (HasWork(slot, slot.ToBackend, Side.Client, slot.ClientState))
        {
            long moved = Pump(ref slot, ref slot.ToBackend, new Ends(ref slot, toBackend: true));
            if (moved > 0)
            {
                slot.Record.BytesToBackend += moved;
                slot.Traffic!.Add(moved, 0);
                slot.LastActivity = worker.Now;
            }
        }

        if (HasWork(slot, slot.ToClient, Side.Backend, slot.BackendState))
        {
            long moved = Pump(ref slot, ref slot.ToClient, new Ends(ref slot, toBackend: false));
            if (moved > 0)
            {
                slot.Record.BytesToClient += moved;
                slot.Traffic!.Add(0, moved);
                slot.LastActivity = worker.Now;
            }
        }

        worker.Closer.Apply(ref slot, slot.End.Settle(worker.Now));
    }

    /// <summary>
    /// An edge carried EPOLLERR. A read returns the error after the last byte. If the side has already sent its FIN and is no longer read, the
    /// error has to be queried.
    /// </summary>
    public void SideFailed(ref Slot slot, Side side)
    {
        slot.End.ErrorPending(side, worker.Now);
        worker.Closer.SetDeadline(ref slot);
        if (slot.End.SourceEnded(side) && TcpSocket.TakeError(side == Side.Backend ? slot.Backend : slot.Client) is not Errno.None and var error)
        {
            PeerGone(ref slot, side, error);
        }
    }

    /// <summary>The error of this side was read from its socket: its connection is gone. Bytes it sent before are passed on.</summary>
    public void PeerGone(ref Slot slot, Side side, Errno error)
    {
        bool backend = side == Side.Backend;
        SinkGone(ref slot, ref backend ? ref slot.ToBackend : ref slot.ToClient, new Ends(ref slot, toBackend: backend), error);
    }

    private static bool HasWork(in Slot slot, in Flow flow, Side from, SideState source) =>
        !slot.End.IsPassedOn(from) && (flow.Held > 0 || slot.End.SourceEnded(from) || (source & SideState.Readable) != 0);

    /// <returns>Bytes written to the sink.</returns>
    private long Pump(ref Slot slot, ref Flow flow, Ends ends)
    {
        long moved = 0;
        long spliced = 0;
        bool splicing = false;
        while (true)
        {
            if (flow.Held > 0)
            {
                if ((ends.SinkState & SideState.Writable) == 0)
                {
                    return moved;
                }

                long delivered = worker.Transfer.Deliver(ref flow, ends.Sink, ref ends.SinkState);
                if (delivered < 0)
                {
                    SinkGone(ref slot, ref flow, ends, worker.Transfer.SinkError);
                    return moved;
                }

                moved += delivered;
                if (flow.Splicing && flow.IsLongStream(delivered))
                {
                    worker.LongQueues.Enter(ref slot, ends.To == Side.Backend, worker.Now);
                }

                if (flow.Held > 0)
                {
                    return moved;
                }
            }

            if (slot.End.SourceEnded(ends.From))
            {
                PassEndOn(ref slot, ref flow, ends);
                return moved;
            }

            if ((ends.SourceState & SideState.Readable) == 0)
            {
                break;
            }

            if (moved >= BytesPerTurn)
            {
                worker.MakeReady(ref slot);
                break;
            }

            if (flow.Splicing && (ends.SourceState & SideState.Urgent) == 0)
            {
                splicing = true;
                spliced += worker.Transfer.Splice(ref slot, ref flow, ends);
            }
            else
            {
                // Release the pipe or buffer of the bytes held before, because this read may need one of its own.
                worker.Transfer.Release(ref slot, ends.To == Side.Backend);
                int copied = worker.Transfer.Copy(ref slot, ref flow, ends);
                if (copied < 0)
                {
                    SinkGone(ref slot, ref flow, ends, worker.Transfer.SinkError);
                    return moved;
                }

                moved += copied;
                if (flow.Held == 0 && (ends.SinkState & SideState.Writable) == 0
                    && (ends.SourceState & SideState.Readable) != 0 && !slot.End.SourceEnded(ends.From))
                {
                    // Without memory to hold it, the rest waits in the kernel until the sink is writable again.
                    return moved;
                }
            }
        }

        if (splicing)
        {
            flow.NoteSpliceTurn(small: spliced < SmallTurn);
        }

        if (!flow.Splicing)
        {
            worker.LongQueues.Leave(ref slot, ends.To == Side.Backend);
        }

        worker.Transfer.Release(ref slot, ends.To == Side.Backend);
        return moved;
    }

    // Everything that the source sent has been written. A FIN is passed on at once; a reset is delayed until the sink has received everything.
    private void PassEndOn(ref Slot slot, ref Flow flow, Ends ends)
    {
        worker.Transfer.Release(ref slot, ends.To == Side.Backend);
        worker.LongQueues.Leave(ref slot, ends.To == Side.Backend);
        if (slot.End.Delivered(ends.From, sinkIsEnding: (ends.SinkState & SideState.Ending) != 0) != EndActions.None)
        {
            TcpSocket.ShutdownWrite(ends.Sink);
            worker.Ledger?.AddEnds(slot.Index, ends.To == Side.Backend ? EntryEnds.PassedToBackend : EntryEnds.PassedToClient);
            slot.LastActivity = worker.Now;
            worker.Closer.SetDeadline(ref slot);
        }
        else
        {
            // The other direction is finished as well, or the receiver of its held bytes is gone.
            worker.Transfer.Release(ref slot, ends.To != Side.Backend);
        }
    }

    // A write failed because the sink's connection is gone. Bytes its peer sent before are still read by the other direction.
    private void SinkGone(ref Slot slot, ref Flow flow, Ends ends, Errno error)
    {
        worker.Ledger?.NoteEnding(slot.Index);
        worker.Transfer.Release(ref slot, ends.To == Side.Backend);
        ends.SinkState |= SideState.Readable | SideState.Ending;
        slot.End.WriteFailed(ends.To, ConnectErrors.LossOf(error), worker.Now);
        worker.Closer.SetDeadline(ref slot);
        worker.MakeReady(ref slot);
    }
}
