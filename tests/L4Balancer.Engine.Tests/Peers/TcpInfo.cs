using System.Buffers.Binary;
using System.Net.Sockets;

namespace L4Balancer.Engine.Tests.Peers;

/// <summary>What the kernel says of a socket: TCP_INFO (linux/tcp.h, struct tcp_info), by the offsets of its fields.</summary>
internal sealed class TcpInfo(Socket socket)
{
    private const int LevelTcp = 6;
    private const int OptionInfo = 11;
    private const int StateClosed = 7;
    private const int Unacked = 24;
    private const int Sacked = 28;
    private const int NotSent = 144;

    public bool IsClosed => Read()[0] == StateClosed;

    public bool SendQueueIsEmpty
    {
        get
        {
            byte[] info = Read();
            return Word(info, Unacked) == 0 && Word(info, NotSent) == 0;
        }
    }

    /// <summary>Of a listening socket: a further SYN is dropped (net/sock.h, sk_acceptq_is_full).</summary>
    public bool AcceptQueueIsFull
    {
        get
        {
            byte[] info = Read();
            return Word(info, Unacked) > Word(info, Sacked);
        }
    }

    private static uint Word(byte[] info, int offset) => BinaryPrimitives.ReadUInt32LittleEndian(info.AsSpan(offset));

    private byte[] Read()
    {
        byte[] info = new byte[232];
        socket.GetRawSocketOption(LevelTcp, OptionInfo, info);
        return info;
    }
}
