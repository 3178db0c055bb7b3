using L4Balancer.Core.Accounting;
using L4Balancer.Core.Connections;
using L4Balancer.Engine.Ledger;
using L4Balancer.Engine.Linux;
using L4Balancer.Engine.Sockets;

namespace L4Balancer.Engine.Loop;

/// <summary>
/// Moves bytes from one socket to the other, through the thread's one buffer by recv(2) and send(2) or through a pipe by splice(2), and
/// stores those that the sink has not accepted. <see cref="Relay"/> decides when to do it.
/// </summary>
internal sealed unsafe class Transfer(Worker worker)
{
    private long _spliced;

    /// <summary>The error of the last write that returned -1.</summary>
    public Errno SinkError { get; private set; }

    /// <summary>Bytes that left through a pipe since the start. Any thread may read it.</summary>
    public long Spliced => Volatile.Read(ref _spliced);

    /// <summary>One read, followed by a write of what was read. Bytes that the sink does not accept are held.</summary>
    /// <returns>Bytes written to the sink; -1: the sink is gone.</returns>
    public int Copy(ref Slot slot, ref Flow flow, Ends ends)
    {
        if (!worker.Engine.Options.Held.HasRoomFor(BufferPool.Size))
        {
            return CopyWithoutHolding(ref slot, ref flow, ends);
        }

        bool toBackend = ends.To == Side.Backend;
        worker.Ledger?.SetDirty(slot.Index, toBackend);
        SysResult received = TcpSocket.Receive(ends.Source, worker.Buffers.Scratch, BufferPool.Size);
        int count = received.IsError ? 0 : received.Value;
        if (count == 0)
        {
            // In this order: a reset is reported only once, so it must be noted as long as the direction is in doubt.
            NothingRead(ref slot, ends, received.Errno);
            worker.Ledger?.SetClean(slot.Index, toBackend);
            return 0;
        }

        bool full = count == BufferPool.Size;
        flow.NoteRead(full);
        if (!full && (ends.SourceState & (SideState.Ending | SideState.Urgent)) == 0)
        {
            // A short read means that the queue is empty, which saves a read that would return EAGAIN: later data causes a new edge.
            ends.SourceState &= ~SideState.Readable;
        }

        LateOptions.BeforeWrite(ref slot, ends.To, mayBePart: full);
        SysResult sent = TcpSocket.Send(ends.Sink, worker.Buffers.Scratch, count);
        if (sent.IsError && sent.Errno != Errno.EAGAIN)
        {
            SinkError = sent.Errno;
            return -1;
        }

        int written = sent.IsError ? 0 : sent.Value;
        if (written < count)
        {
            LateOptions.WroteInPart(ref slot, ends.To);
            ends.SinkState &= ~SideState.Writable;
            flow.Buffer = worker.Buffers.Rent();
            flow.Offset = 0;
            flow.Held = count - written;
            Buffer.MemoryCopy(worker.Buffers.Scratch + written, worker.Buffers[flow.Buffer], BufferPool.Size, flow.Held);
        }
        else
        {
            worker.Ledger?.SetClean(slot.Index, toBackend);
        }

        return written;
    }

    // No memory is left for what the sink might not take, so what it does not take stays in the kernel: the bytes are looked at (MSG_PEEK),
    // written, and only those that were written are read.
    private int CopyWithoutHolding(ref Slot slot, ref Flow flow, Ends ends)
    {
        if ((ends.SinkState & SideState.Writable) == 0)
        {
            return 0;
        }

        // Between writing and reading the bytes, whoever went on with the connection would write them again.
        bool toBackend = ends.To == Side.Backend;
        worker.Ledger?.SetDirty(slot.Index, toBackend);
        SysResult seen = TcpSocket.Receive(ends.Source, worker.Buffers.Scratch, BufferPool.Size, Libc.MSG_PEEK);
        int count = seen.IsError ? 0 : seen.Value;
        if (count == 0)
        {
            NothingRead(ref slot, ends, seen.Errno);
            worker.Ledger?.SetClean(slot.Index, toBackend);
            return 0;
        }

        flow.NoteRead(full: false);
        LateOptions.BeforeWrite(ref slot, ends.To, mayBePart: true);
        SysResult sent = TcpSocket.Send(ends.Sink, worker.Buffers.Scratch, count);
        if (sent.IsError && sent.Errno != Errno.EAGAIN)
        {
            SinkError = sent.Errno;
            return -1;
        }

        int written = sent.IsError ? 0 : sent.Value;
        if (written < count)
        {
            ends.SinkState &= ~SideState.Writable;
        }

        Drop(ends.Source, written);
        worker.Ledger?.SetClean(slot.Index, toBackend);
        return written;
    }

    /// <summary>Reads bytes that were peeked and have been written.</summary>
    /// <param name="count">At most <see cref="BufferPool.Size"/>; none if not positive.</param>
    public void Drop(int source, int count)
    {
        while (count > 0)
        {
            SysResult dropped = TcpSocket.Receive(source, worker.Buffers.Scratch, count, Libc.MSG_TRUNC);
            if (dropped.IsError || dropped.Value == 0)
            {
                // The bytes were there a moment ago; a reset that came since discards the rest, and the next read reports it.
                return;
            }

            count -= dropped.Value;
        }
    }

    /// <summary>Fills the flow's pipe, which must be empty; the bytes are held until <see cref="Deliver"/>.</summary>
    /// <returns>Bytes read into the flow's pipe.</returns>
    public int Splice(ref Slot slot, ref Flow flow, Ends ends)
    {
        if (flow.Pipe == PipePool.None)
        {
            // The buffer of the bytes before, which are written.
            Release(ref slot, ends.To == Side.Backend);
            if (!worker.Pipes.TryRent(out flow.Pipe))
            {
                flow.CopyAgain();
                return 0;
            }

            worker.Ledger?.SetPipe(slot.Index, ends.To == Side.Backend, flow.Pipe);
        }

        // The bytes are never in the memory of the process. But a reset is reported only once, and if the source does not tell afterwards that it has
        // failed (SocketCookie.HasFailed), whoever went on would take it for a FIN.
        bool toBackend = ends.To == Side.Backend;
        bool tellsOnce = slot.End.IsPassedOn(ends.To) || (toBackend ? slot.ClientIsUnix : slot.Record.LocalEndpoint.IsUnix);
        if (tellsOnce)
        {
            worker.Ledger?.SetDirty(slot.Index, toBackend);
        }

        // The pipe is empty here, so EAGAIN can only come from the source. A short splice, unlike a short read, does not prove it empty.
        SysResult filled = worker.Pipes[flow.Pipe].FillFrom(ends.Source);
        if (filled.Errno == Errno.EINVAL)
        {
            flow.NeverSplice = true;
            flow.CopyAgain();
            Release(ref slot, toBackend);
            worker.Ledger?.SetClean(slot.Index, toBackend);
            return 0;
        }

        flow.Held = filled.IsError ? 0 : filled.Value;
        if (filled.IsError)
        {
            NothingRead(ref slot, ends, filled.Errno);
        }
        else if (flow.Held == 0)
        {
            // FIN, or urgent data before it, that no edge has reported yet: only a read can distinguish them.
            flow.CopyAgain();
        }

        if (tellsOnce)
        {
            worker.Ledger?.SetClean(slot.Index, toBackend);
        }

        return flow.Held;
    }

    /// <summary>Writes the bytes held.</summary>
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
                SinkError = sent.Errno;
                return sent.Errno is Errno.EAGAIN or Errno.None ? delivered : -1;
            }

            flow.Held -= sent.Value;
            flow.Offset += sent.Value;
            delivered += sent.Value;
            if (flow.Pipe != PipePool.None)
            {
                Volatile.Write(ref _spliced, _spliced + sent.Value);
            }
        }

        return delivered;
    }

    /// <summary>Returns the pipe or buffer of a direction. A pipe that still holds bytes is not reused.</summary>
    public void Release(ref Slot slot, bool toBackend)
    {
        ref Flow flow = ref toBackend ? ref slot.ToBackend : ref slot.ToClient;
        if (flow.Held > 0)
        {
            // Bytes are dropped, which happens only at an end.
            worker.Ledger?.NoteEnding(slot.Index);
        }

        if (flow.Pipe != PipePool.None)
        {
            worker.Ledger?.SetPipe(slot.Index, toBackend, PipePool.None);
            worker.Pipes.Return(flow.Pipe, clean: flow.Held == 0);
            flow.Pipe = PipePool.None;
        }

        if (flow.Buffer != BufferPool.None)
        {
            worker.Ledger?.SetClean(slot.Index, toBackend);
            worker.Buffers.Return(flow.Buffer);
            flow.Buffer = BufferPool.None;
        }

        flow.Held = 0;
    }

    // A read returned no bytes: the source is empty for now, or has ended.
    private void NothingRead(ref Slot slot, Ends ends, Errno error)
    {
        switch (error)
        {
            case Errno.EAGAIN:
                ends.SourceState &= ~SideState.Readable;
                break;
            case Errno.None:
                slot.NoteFin(ends.From);
                worker.Ledger?.AddEnds(slot.Index, ends.From == Side.Client ? EntryEnds.ClientFinished : EntryEnds.BackendFinished);
                break;
            default:
                worker.Ledger?.NoteEnding(slot.Index);
                slot.End.ReadFailed(ends.From, ConnectErrors.LossOf(error), worker.Now);
                break;
        }
    }
}
