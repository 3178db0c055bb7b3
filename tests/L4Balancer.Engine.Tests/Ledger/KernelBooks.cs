using System.Buffers.Binary;
using System.Runtime.Versioning;
using L4Balancer.Engine.Ledger;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Engine.Tests.Ledger;

/// <summary>
/// How many bytes of a connection are in the memory of this process, by what the kernel says of its sockets and pipes alone: what it has handed out
/// of one socket, less what it has taken for the other, less what is in the pipe.
/// </summary>
[SupportedOSPlatform("linux")]
internal sealed class KernelBooks
{
    private readonly Dictionary<ulong, (long ToBackend, long ToClient)> _atFirst = [];

    /// <summary>Null if the peers move bytes so fast that no moment is found, or a socket has failed.</summary>
    public (long ToBackend, long ToClient)? InMemory(LedgerConnection connection)
    {
        LedgerEntry entry = connection.Entry;
        if (Between(entry.Client, entry.Backend, connection.ToBackend) is not { } toBackend
            || Between(entry.Backend, entry.Client, connection.ToClient) is not { } toClient)
        {
            return null;
        }

        // Nothing has been read of a connection when it is noted. What the SYN and such count for is subtracted.
        if (_atFirst.TryAdd(entry.Id, (toBackend, toClient)))
        {
            return (0, 0);
        }

        (long first, long second) = _atFirst[entry.Id];
        return (toBackend - first, toClient - second);
    }

    private static long? Between(int source, int sink, LedgerPipeEnds? pipe)
    {
        for (int i = 0; i < 1000; i++)
        {
            if (Facts(source) is not { } before || Facts(sink) is not { } sinkBefore)
            {
                return null;
            }

            int unread = TcpSocket.Unread(source);
            int unacknowledged = TcpSocket.Unacknowledged(sink);
            int piped = pipe is null ? 0 : new KernelPipe(pipe.ReadEnd, pipe.WriteEnd, pipe.Capacity).Unread;
            if (Facts(source) == before && Facts(sink) == sinkBefore)
            {
                return before.Received - unread - (sinkBefore.Acknowledged + unacknowledged) - piped;
            }
        }

        return null;
    }

    // TCP_INFO (linux/tcp.h): tcpi_bytes_acked and tcpi_bytes_received.
    private static unsafe (long Acknowledged, long Received)? Facts(int socket)
    {
        Span<byte> info = stackalloc byte[136];
        uint length = (uint)info.Length;
        fixed (byte* start = info)
        {
            return Libc.getsockopt(socket, Libc.IPPROTO_TCP, Libc.TCP_INFO, start, &length) == 0 && info[0] != Libc.TCP_CLOSE
                ? (BinaryPrimitives.ReadInt64LittleEndian(info[120..]), BinaryPrimitives.ReadInt64LittleEndian(info[128..]))
                : null;
        }
    }
}
