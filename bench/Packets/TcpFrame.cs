using System.Buffers.Binary;
using L4Balancer.Core.Addressing;

namespace L4Balancer.Bench.Packets;

/// <summary>Ethernet frames with IPv4 and TCP headers and no data, with right checksums (RFC 1071).</summary>
internal static class TcpFrame
{
    public const int Length = 54;
    public const byte Syn = 2;
    public const byte Ack = 16;

    private const int Ip = 14;
    private const int Tcp = 34;

    public static byte[] Create(ulong to, ulong from, Endpoint source, Endpoint destination, byte flags)
    {
        byte[] frame = new byte[Length];
        WriteMac(frame, to);
        WriteMac(frame.AsSpan(6), from);
        frame[12] = 8;
        frame[Ip] = 0x45;
        frame[Ip + 3] = Length - Ip;
        frame[Ip + 6] = 0x40;
        frame[Ip + 8] = 64;
        frame[Ip + 9] = 6;
        BinaryPrimitives.WriteUInt32BigEndian(frame.AsSpan(Ip + 16), destination.Address.V4);
        BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(Tcp + 2), destination.Port);
        frame[Tcp + 12] = 0x50;
        frame[Tcp + 13] = flags;
        frame[Tcp + 14] = 0xff;
        SetSource(frame, source.Address.V4, source.Port, 1);
        return frame;
    }

    public static void SetSource(Span<byte> frame, uint address, ushort port, uint sequence)
    {
        BinaryPrimitives.WriteUInt32BigEndian(frame[(Ip + 12)..], address);
        BinaryPrimitives.WriteUInt16BigEndian(frame[Tcp..], port);
        BinaryPrimitives.WriteUInt32BigEndian(frame[(Tcp + 4)..], sequence);
        BinaryPrimitives.WriteUInt16BigEndian(frame[(Ip + 10)..], 0);
        BinaryPrimitives.WriteUInt16BigEndian(frame[(Tcp + 16)..], 0);
        BinaryPrimitives.WriteUInt16BigEndian(frame[(Ip + 10)..], Checksum(frame[Ip..Tcp], 0));

        // Of the pseudo header: both addresses, the protocol and the length.
        BinaryPrimitives.WriteUInt16BigEndian(frame[(Tcp + 16)..], Checksum(frame[(Ip + 12)..], 6 + Length - Tcp));
    }

    private static ushort Checksum(ReadOnlySpan<byte> bytes, int sum)
    {
        for (int i = 0; i < bytes.Length; i += 2)
        {
            sum += BinaryPrimitives.ReadUInt16BigEndian(bytes[i..]);
        }

        sum = (sum & 0xffff) + (sum >> 16);
        return (ushort)~((sum & 0xffff) + (sum >> 16));
    }

    private static void WriteMac(Span<byte> at, ulong mac)
    {
        BinaryPrimitives.WriteUInt16BigEndian(at, (ushort)(mac >> 32));
        BinaryPrimitives.WriteUInt32BigEndian(at[2..], (uint)mac);
    }
}
