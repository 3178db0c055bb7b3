using L4Balancer.Core.Accounting;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Engine.Epoll;

/// <summary>
/// Step 6 in the life of a connection: bytes both ways. Small transfers go by recv(2) and send(2) through the thread's one buffer,
/// bulk by splice(2) through a pipe that is rented while bytes are in flight; each direction switches by itself. What the sink does
/// not take is held, and while something is held the source is not read.
/// </summary>
internal sealed unsafe class Relay(Worker worker)
{
    /// <summary>What one direction may move in a turn before the others get theirs.</summary>
    public const int BytesPerTurn = 1024 * 1024;

    /// <summary>A turn of splicing that moves less than this was not bulk.</summary>
    private const int SmallTurn = 32 * 1024;

    /// <summary>Moves what can be moved without waiting, both ways; then sees whether the connection is at its end.</summary>
    public void Turn(int index, ref Slot slot)
    {
        if (HasWork(slot.ToBackend, slot.ClientState))
        {
            long moved = Pump(index, ref slot, ref slot.ToBackend, new Ends(ref slot, toBackend: true));
            if (moved > 0)
            {
                slot.Record.BytesToBackend += moved;
                slot.Traffic!.Add(moved, 0);
                slot.LastActivity = worker.Now;
            }
        }

        if (HasWork(slot.ToClient, slot.BackendState))
        {
            long moved = Pump(index, ref slot, ref slot.ToClient, new Ends(ref slot, toBackend: false));
            if (moved > 0)
            {
                slot.Record.BytesToClient += moved;
                slot.Traffic!.Add(0, moved);
                slot.LastActivity = worker.Now;
            }
        }

        if (slot.ToBackend.Done && slot.ToClient.Done)
        {
            worker.Closer.BothDone(index, ref slot);
        }
    }

    /// <summary>
    /// An edge carried EPOLLERR. Reading finds the error behind the last byte; where the side has sent its FIN already and is not
    /// read any more, it has to be asked for.
    /// </summary>
    public void SideFailed(int index, ref Slot slot, bool backend)
    {
        worker.Closer.LimitGrace(index, ref slot);
        bool ended = backend ? slot.ToClient.SourceEnded : slot.ToBackend.SourceEnded;
        if (ended && TcpSocket.TakeError(backend ? slot.Backend : slot.Client) != Errno.None)
        {
            PeerGone(index, ref slot, backend);
        }
    }

    /// <summary>The error of this side was taken: its connection is gone. What it had sent before is passed on.</summary>
    public void PeerGone(int index, ref Slot slot, bool backend) =>
        SinkGone(index, ref slot, ref backend ? ref slot.ToBackend : ref slot.ToClient, new Ends(ref slot, toBackend: backend));

    /// <summary>Writes what is held.</summary>
    /// <returns>Bytes written; -1: the sink is gone.</returns>
    public long Deliver(ref Flow flow, int sink, ref SideState sinkState)
    {
        long delivered = 0;
        while (flow.Held > 0)
        {
            SysResult sent = flow.Pipe != PipePool.None
                ? worker.Pipes[flow.Pipe].DrainTo(sink, flow.Held)
                : TcpSocket.Send(sink, worker.Buffers[flow.Buffer] + flow.Offset, flow.Held);
            if (sent.IsError || sent.Value == 0)
            {
                sinkState &= ~SideState.Writable;
                return sent.Errno is Errno.EAGAIN or Errno.None ? delivered : -1;
            }

            flow.Held -= sent.Value;
            flow.Offset += sent.Value;
            delivered += sent.Value;
        }

        return delivered;
    }

    /// <summary>Sends FIN, and notes where it is the first of the two.</summary>
    /// <param name="back">The direction that reads from the same socket.</param>
    public static void Finish(int socket, in Flow back, ref SideState state)
    {
        if (!back.SourceEnded && (state & SideState.Ending) == 0)
        {
            state |= SideState.FinFirst;
        }

        TcpSocket.ShutdownWrite(socket);
    }

    /// <summary>Gives back what held the bytes of a direction. A pipe that still holds some is not used again.</summary>
    public void Release(ref Flow flow)
    {
        if (flow.Pipe != PipePool.None)
        {
            worker.Pipes.Return(flow.Pipe, clean: flow.Held == 0);
            flow.Pipe = PipePool.None;
        }

        if (flow.Buffer != BufferPool.None)
        {
            worker.Buffers.Return(flow.Buffer);
            flow.Buffer = BufferPool.None;
        }

        flow.Held = 0;
    }

    private static bool HasWork(in Flow flow, SideState source) =>
        !flow.Done && (flow.Held > 0 || flow.SourceEnded || (source & SideState.Readable) != 0);

    /// <returns>Bytes written to the sink.</returns>
    private long Pump(int index, ref Slot slot, ref Flow flow, Ends ends)
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

                long delivered = Deliver(ref flow, ends.Sink, ref ends.SinkState);
                if (delivered < 0)
                {
                    SinkGone(index, ref slot, ref flow, ends);
                    return moved;
                }

                moved += delivered;
                if (flow.Held > 0)
                {
                    return moved;
                }
            }

            if (flow.SourceEnded)
            {
                PassEndOn(index, ref slot, ref flow, ends);
                return moved;
            }

            if ((ends.SourceState & SideState.Readable) == 0)
            {
                break;
            }

            if (moved >= BytesPerTurn)
            {
                worker.MakeReady(index, ref slot);
                break;
            }

            if (flow.Splicing && (ends.SourceState & SideState.Urgent) == 0)
            {
                splicing = true;
                spliced += Splice(ref slot, ref flow, ends);
            }
            else
            {
                // The pipe or buffer of what was held before: this read may need one of its own.
                Release(ref flow);
                int copied = Copy(ref slot, ref flow, ends);
                if (copied < 0)
                {
                    SinkGone(index, ref slot, ref flow, ends);
                    return moved;
                }

                moved += copied;
            }
        }

        if (splicing)
        {
            flow.NoteSpliceTurn(small: spliced < SmallTurn);
        }

        Release(ref flow);
        return moved;
    }

    /// <returns>Bytes written to the sink; -1: the sink is gone.</returns>
    private int Copy(ref Slot slot, ref Flow flow, Ends ends)
    {
        SysResult received = TcpSocket.Receive(ends.Source, worker.Buffers.Scratch, BufferPool.Size);
        int count = received.IsError ? 0 : received.Value;
        if (count == 0)
        {
            NothingRead(ref slot, ref flow, ends, received.Errno);
            return 0;
        }

        bool full = count == BufferPool.Size;
        flow.NoteRead(full);
        if (!full && (ends.SourceState & (SideState.Ending | SideState.Urgent)) == 0)
        {
            // A short read means drained, and saves the read that would only say EAGAIN: data that comes later is a new edge.
            ends.SourceState &= ~SideState.Readable;
        }

        SysResult sent = TcpSocket.Send(ends.Sink, worker.Buffers.Scratch, count);
        if (sent.IsError && sent.Errno != Errno.EAGAIN)
        {
            return -1;
        }

        int written = sent.IsError ? 0 : sent.Value;
        if (written < count)
        {
            ends.SinkState &= ~SideState.Writable;
            flow.Buffer = worker.Buffers.Rent();
            flow.Offset = 0;
            flow.Held = count - written;
            Buffer.MemoryCopy(worker.Buffers.Scratch + written, worker.Buffers[flow.Buffer], BufferPool.Size, flow.Held);
        }

        return written;
    }

    /// <returns>Bytes read into the flow's pipe.</returns>
    private int Splice(ref Slot slot, ref Flow flow, Ends ends)
    {
        if (flow.Pipe == PipePool.None && !worker.Pipes.TryRent(out flow.Pipe))
        {
            flow.CopyAgain();
            return 0;
        }

        // The pipe is empty here, so EAGAIN can only mean that the source is. A short splice, unlike a short read, proves nothing.
        SysResult filled = worker.Pipes[flow.Pipe].FillFrom(ends.Source);
        if (filled.Errno == Errno.EINVAL)
        {
            flow.NeverSplice = true;
            flow.CopyAgain();
            Release(ref flow);
            return 0;
        }

        flow.Held = filled.IsError ? 0 : filled.Value;
        if (filled.IsError)
        {
            NothingRead(ref slot, ref flow, ends, filled.Errno);
        }
        else if (flow.Held == 0)
        {
            // FIN, or urgent data before it, of which no edge has told yet: only a read knows.
            flow.CopyAgain();
        }

        return flow.Held;
    }

    // A read that brought nothing: empty for now, or the source's end.
    private static void NothingRead(ref Slot slot, ref Flow flow, Ends ends, Errno error)
    {
        if (error == Errno.EAGAIN)
        {
            ends.SourceState &= ~SideState.Readable;
            return;
        }

        flow.SourceEnded = true;
        if (error != Errno.None)
        {
            ends.SourceState |= SideState.Reset;
            slot.Cause.TrySet(ends.ToBackend ? CloseReason.ClientReset : CloseReason.BackendReset);
        }
        else if (slot.FirstEnd == CloseReason.None)
        {
            slot.FirstEnd = ends.ToBackend ? CloseReason.ClientClosed : CloseReason.BackendClosed;
        }
    }

    // Everything that the source sent is written. FIN goes on; a reset waits until the sink has received it all.
    private void PassEndOn(int index, ref Slot slot, ref Flow flow, Ends ends)
    {
        Release(ref flow);
        flow.Done = true;
        ref Flow back = ref ends.ToBackend ? ref slot.ToClient : ref slot.ToBackend;
        if ((ends.SourceState & SideState.Reset) != 0)
        {
            Release(ref back);
            back.Done = true;
        }
        else if (!back.Done)
        {
            Finish(ends.Sink, back, ref ends.SinkState);
            slot.LastActivity = worker.Now;
            worker.Closer.SetDeadline(index, ref slot);
        }

        // Where both directions are done, the close that follows sends the FIN.
    }

    // A write found the sink's connection gone. What its peer had sent before is still to be read, by the other direction.
    private void SinkGone(int index, ref Slot slot, ref Flow flow, Ends ends)
    {
        Release(ref flow);
        flow.SourceEnded = true;
        flow.Done = true;
        ends.SinkState |= SideState.Reset | SideState.Readable | SideState.Ending;
        slot.Cause.TrySet(ends.ToBackend ? CloseReason.BackendReset : CloseReason.ClientReset);
        worker.Closer.LimitGrace(index, ref slot);
        worker.MakeReady(index, ref slot);
    }

    /// <summary>The two sockets of a slot as one direction sees them.</summary>
    private readonly ref struct Ends
    {
        public readonly bool ToBackend;
        public readonly int Source;
        public readonly int Sink;
        public readonly ref SideState SourceState;
        public readonly ref SideState SinkState;

        public Ends(ref Slot slot, bool toBackend)
        {
            ToBackend = toBackend;
            Source = toBackend ? slot.Client : slot.Backend;
            Sink = toBackend ? slot.Backend : slot.Client;
            SourceState = ref toBackend ? ref slot.ClientState : ref slot.BackendState;
            SinkState = ref toBackend ? ref slot.BackendState : ref slot.ClientState;
        }
    }
}
