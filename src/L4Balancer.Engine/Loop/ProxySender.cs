using L4Balancer.Core.Config;
using L4Balancer.Core.Connections;
using L4Balancer.Engine.Inspection;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Engine.Loop;

/// <summary>
/// Sends a backend its PROXY header, in one write with what the client has sent already. Bytes of the client that the socket does not take
/// stay in the kernel; of the header, the rest is held for the relay.
/// </summary>
internal sealed unsafe class ProxySender(Worker worker)
{
    /// <summary>Sends the header as the first bytes to a backend that has just been connected to.</summary>
    /// <param name="inspects">What was read of the client.</param>
    /// <param name="limit">The limit of that, in bytes.</param>
    public void Send(ref Slot slot, SendProxy version, InspectKind inspects, int limit)
    {
        // The header is written before the client's bytes once its length is known.
        byte* seen = worker.Buffers.Scratch + ProxyPreface.Longest;
        int count = 0;
        if ((slot.ClientState & SideState.Readable) != 0)
        {
            SysResult peeked = TcpSocket.Receive(slot.Client, seen, BufferPool.Size, Libc.MSG_PEEK);
            count = peeked.IsError ? 0 : peeked.Value;
        }

        Span<byte> header = stackalloc byte[ProxyPreface.Longest];
        header = header[..ProxyPreface.Write(version, slot.Record, inspects, limit, new ReadOnlySpan<byte>(seen, count), header)];
        byte* start = seen - header.Length;
        header.CopyTo(new Span<byte>(start, header.Length));
        SysResult sent = TcpSocket.Send(slot.Backend, start, header.Length + count);
        if (sent.IsError && sent.Errno != Errno.EAGAIN)
        {
            worker.Relay.PeerGone(ref slot, Side.Backend, sent.Errno);
            return;
        }

        int written = sent.IsError ? 0 : sent.Value;
        if (written < header.Length + count)
        {
            slot.BackendState &= ~SideState.Writable;
        }

        if (written < header.Length)
        {
            ref Flow flow = ref slot.ToBackend;
            flow.Buffer = worker.Buffers.Rent();
            flow.Offset = 0;
            flow.Held = header.Length - written;
            header[written..].CopyTo(new Span<byte>(worker.Buffers[flow.Buffer], flow.Held));
        }

        slot.Record.BytesToBackend += written;
        slot.Traffic!.Add(written, 0);
        worker.Transfer.Drop(slot.Client, written - header.Length);
    }
}
