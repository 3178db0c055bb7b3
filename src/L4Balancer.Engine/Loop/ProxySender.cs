using L4Balancer.Core.Config;
using L4Balancer.Core.Connections;
using L4Balancer.Engine.Inspection;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Engine.Loop;

/// <summary>
/// Sends a backend its PROXY header, in one write with what the client has sent already. What the socket does not take is held for the relay;
/// if no memory is left for that, or a head may be longer than what is held, bytes of the client stay in the kernel until they are written.
/// </summary>
internal sealed unsafe class ProxySender(Worker worker)
{
    /// <summary>With the header before them they fill the buffer that holds them, in bytes.</summary>
    private const int MostRead = BufferPool.Size - ProxyPreface.Longest;

    /// <summary>Sends the header as the first bytes to a backend that has just been connected to.</summary>
    /// <param name="inspects">What was read of the client.</param>
    /// <param name="limit">The limit of that, in bytes.</param>
    public void Send(ref Slot slot, SendProxy version, InspectKind inspects, int limit)
    {
        // The header is written before the client's bytes once its length is known.
        byte* first = worker.Buffers.Scratch + ProxyPreface.Longest;
        bool canHold = limit <= MostRead && worker.Engine.Options.Held.HasRoomFor(BufferPool.Size);
        SysResult seen = (slot.ClientState & SideState.Readable) == 0 ? default(SysResult)
            : canHold ? Read(ref slot, first)
            : TcpSocket.Receive(slot.Client, first, BufferPool.Size, Libc.MSG_PEEK);
        if (seen.IsError && seen.Errno != Errno.EAGAIN)
        {
            worker.Relay.PeerGone(ref slot, Side.Client, seen.Errno);
            return;
        }

        int count = seen.IsError ? 0 : seen.Value;
        Span<byte> header = stackalloc byte[ProxyPreface.Longest];
        header = header[..ProxyPreface.Write(version, slot.Record, inspects, limit, new ReadOnlySpan<byte>(first, count), header)];
        byte* start = first - header.Length;
        header.CopyTo(new Span<byte>(start, header.Length));
        LateOptions.BeforeWrite(ref slot, Side.Backend, mayBePart: !canHold);
        SysResult sent = TcpSocket.Send(slot.Backend, start, header.Length + count);
        if (sent.IsError && sent.Errno != Errno.EAGAIN)
        {
            worker.Relay.PeerGone(ref slot, Side.Backend, sent.Errno);
            return;
        }

        int written = sent.IsError ? 0 : sent.Value;
        if (written < header.Length + count)
        {
            LateOptions.WroteInPart(ref slot, Side.Backend);
            slot.BackendState &= ~SideState.Writable;
        }

        int kept = (canHold ? header.Length + count : header.Length) - written;
        if (kept > 0)
        {
            Hold(ref slot.ToBackend, start + written, kept);
        }

        slot.Record.BytesToBackend += written;
        slot.Traffic!.Add(written, 0);
        if (!canHold)
        {
            worker.Transfer.Drop(slot.Client, written - header.Length);
        }
    }

    private static SysResult Read(ref Slot slot, byte* target)
    {
        SysResult received = TcpSocket.Receive(slot.Client, target, MostRead);
        if (!received.IsError && received.Value is > 0 and < MostRead && (slot.ClientState & (SideState.Ending | SideState.Urgent)) == 0)
        {
            // As in Transfer: a short read has emptied the queue.
            slot.ClientState &= ~SideState.Readable;
        }

        return received;
    }

    private void Hold(ref Flow flow, byte* bytes, int count)
    {
        flow.Buffer = worker.Buffers.Rent();
        flow.Offset = 0;
        flow.Held = count;
        Buffer.MemoryCopy(bytes, worker.Buffers[flow.Buffer], BufferPool.Size, count);
    }
}
