using System.Buffers.Binary;
using L4Balancer.Core.Addressing;

namespace L4Balancer.Engine.Tests.Packets;

/// <summary>Makes Ethernet frames for the tests. Checksums are zero, as the packet program reads none.</summary>
internal static class Packets
{
    private const int TcpHeader = 20;

    public static Endpoint At(string text) => Endpoint.TryParse(text, out Endpoint endpoint) ? endpoint : throw new FormatException(text);

    /// <param name="tags">VLAN tags, of which the first is that of a provider if there are several.</param>
    /// <param name="options">Words of options of IPv4, or extension headers of IPv6.</param>
    /// <param name="payload">Bytes after the TCP header.</param>
    public static byte[] Tcp(Endpoint source, Endpoint destination, byte flags, int tags = 0, int options = 0, int payload = 6)
    {
        bool isFour = source.Address.IsV4;
        byte[] tcp = new byte[TcpHeader + payload];
        BinaryPrimitives.WriteUInt16BigEndian(tcp, source.Port);
        BinaryPrimitives.WriteUInt16BigEndian(tcp.AsSpan(2), destination.Port);
        tcp[13] = flags;
        byte[] ip = isFour ? Header4(source, destination, 6, tcp.Length, options) : Header6(source, destination, 6, tcp.Length, options);
        return [.. Ethernet(isFour, tags), .. ip, .. tcp];
    }

    /// <summary>The message of a router that a packet of the service to the client was too big.</summary>
    public static byte[] TooBig(Endpoint client, Endpoint service)
    {
        bool isFour = client.Address.IsV4;
        byte[] inner = Tcp(service, client, 16)[14..];
        byte[] icmp = [isFour ? (byte)3 : (byte)2, isFour ? (byte)4 : (byte)0, 0, 0, 0, 0, 5, 0, .. inner];
        Endpoint router = At(isFour ? "203.0.113.1:1" : "[2001:db8:1::1]:1");
        byte[] ip = isFour ? Header4(router, service, 1, icmp.Length, 0) : Header6(router, service, 58, icmp.Length, 0);
        return [.. Ethernet(isFour, 0), .. ip, .. icmp];
    }

    /// <param name="packet">IPv4 without VLAN tags.</param>
    /// <param name="offset">In units of eight bytes; 0: the first of several.</param>
    public static byte[] Fragment(byte[] packet, int offset)
    {
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(14 + 6), (ushort)(0x2000 | offset));
        return packet;
    }

    /// <summary>Makes the extension header of a packet that of a later fragment.</summary>
    /// <param name="packet">IPv6 without VLAN tags, with one extension header.</param>
    /// <param name="protocol">Of what is in the fragments.</param>
    public static byte[] Fragment6(byte[] packet, byte protocol)
    {
        const byte fragmentation = 44;
        packet[14 + 6] = fragmentation;
        packet[14 + 40] = protocol;
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(14 + 40 + 2), 1480);
        return packet;
    }

    /// <param name="packet">IPv4 without VLAN tags.</param>
    public static byte[] WithProtocol(byte[] packet, byte protocol)
    {
        packet[14 + 9] = protocol;
        return packet;
    }

    /// <param name="packet">IPv4 without VLAN tags; it may not be fragmented afterwards.</param>
    public static byte[] WithoutFragments(byte[] packet)
    {
        packet[14 + 6] |= 0x40;
        return packet;
    }

    /// <summary>The sum of 16-bit numbers (RFC 1071): 0xffff over a header or message with its checksum.</summary>
    public static int Sum(ReadOnlySpan<byte> bytes)
    {
        uint sum = 0;
        for (int i = 0; i < bytes.Length; i += 2)
        {
            sum += (uint)((bytes[i] << 8) | (i + 1 < bytes.Length ? bytes[i + 1] : 0));
        }

        while (sum > 0xffff)
        {
            sum = (sum & 0xffff) + (sum >> 16);
        }

        return (int)sum;
    }

    public static ulong DestinationOf(ReadOnlySpan<byte> packet) =>
        ((ulong)BinaryPrimitives.ReadUInt32BigEndian(packet) << 16) | BinaryPrimitives.ReadUInt16BigEndian(packet[4..]);

    private static byte[] Ethernet(bool isFour, int tags)
    {
        List<byte> header = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9];
        for (int i = tags; i > 0; i--)
        {
            header.AddRange(i > 1 ? [0x88, 0xa8, 0, 7] : [0x81, 0x00, 0, 8]);
        }

        header.AddRange(isFour ? [8, 0] : [0x86, 0xdd]);
        return [.. header];
    }

    private static byte[] Header4(Endpoint source, Endpoint destination, byte protocol, int length, int options)
    {
        options = Math.Min(options, 10);
        byte[] header = new byte[20 + (options * 4)];
        header[0] = (byte)(0x45 + options);
        BinaryPrimitives.WriteUInt16BigEndian(header.AsSpan(2), (ushort)(header.Length + length));
        header[8] = 64;
        header[9] = protocol;
        Address(source)[12..].CopyTo(header.AsSpan(12));
        Address(destination)[12..].CopyTo(header.AsSpan(16));
        return header;
    }

    private static byte[] Header6(Endpoint source, Endpoint destination, byte protocol, int length, int extensions)
    {
        byte[] kinds = [.. ((byte[])[0, 60, 43, 60]).Take(extensions)];
        byte[] header = new byte[40 + (kinds.Length * 8)];
        header[0] = 0x60;
        BinaryPrimitives.WriteUInt16BigEndian(header.AsSpan(4), (ushort)(header.Length - 40 + length));
        header[6] = kinds.Length > 0 ? kinds[0] : protocol;
        header[7] = 64;
        Address(source).CopyTo(header.AsSpan(8));
        Address(destination).CopyTo(header.AsSpan(24));
        for (int i = 0; i < kinds.Length; i++)
        {
            header[40 + (i * 8)] = i + 1 < kinds.Length ? kinds[i + 1] : protocol;
        }

        return header;
    }

    private static byte[] Address(Endpoint endpoint)
    {
        byte[] bytes = new byte[16];
        endpoint.Address.WriteTo(bytes);
        return bytes;
    }
}
