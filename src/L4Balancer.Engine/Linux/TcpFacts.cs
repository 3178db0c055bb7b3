using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace L4Balancer.Engine.Linux;

/// <summary>What the kernel says of a TCP connection (tcp(7), TCP_INFO; the byte counts since Linux 4.1).</summary>
/// <param name="State">TCP_ESTABLISHED is 1, TCP_CLOSE 7.</param>
/// <param name="Acknowledged">Bytes that the peer has acknowledged; a FIN, and the SYN of a connect from here, count as one each.</param>
/// <param name="Received">Bytes that have arrived in order, read or not; a FIN counts as one.</param>
/// <param name="Idle">Time since data last went either way.</param>
internal readonly record struct TcpFacts(byte State, ulong Acknowledged, ulong Received, TimeSpan Idle)
{
    private const int Length = 136;
    private const int LastDataSent = 44;
    private const int LastDataReceived = 52;
    private const int BytesAcknowledged = 120;
    private const int BytesReceived = 128;

    /// <summary>Whether the connection no longer exists in the kernel: it was reset, or has timed out.</summary>
    public bool IsClosed => State == Libc.TCP_CLOSE;

    /// <summary>Whether the FIN of the peer has arrived: CLOSE_WAIT, LAST_ACK, CLOSING, TIME_WAIT.</summary>
    public bool HasFinOfPeer => State is 8 or 9 or 11 or 6;

    /// <returns>Null if the socket has no such option: it is no TCP socket, or one of Multipath TCP.</returns>
    public static unsafe TcpFacts? Of(int socket)
    {
        Span<byte> bytes = stackalloc byte[Length];
        bytes.Clear();
        uint length = Length;
        fixed (byte* start = bytes)
        {
            if (Libc.getsockopt(socket, Libc.IPPROTO_TCP, Libc.TCP_INFO, start, &length) != 0)
            {
                return null;
            }
        }

        uint idle = Math.Min(Read<uint>(bytes, LastDataSent), Read<uint>(bytes, LastDataReceived));
        return new TcpFacts(
            bytes[0], Read<ulong>(bytes, BytesAcknowledged), Read<ulong>(bytes, BytesReceived), TimeSpan.FromMilliseconds(idle));
    }

    private static T Read<T>(ReadOnlySpan<byte> bytes, int offset)
        where T : unmanaged => MemoryMarshal.Read<T>(bytes.Slice(offset, Unsafe.SizeOf<T>()));
}
