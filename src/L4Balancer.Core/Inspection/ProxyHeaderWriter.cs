using System.Buffers.Binary;
using System.Buffers.Text;
using L4Balancer.Core.Addressing;

namespace L4Balancer.Core.Inspection;

/// <summary>
/// Writes the PROXY header that the backend receives first (<c>send_proxy</c>): who the client is. If only one of the two addresses is
/// IPv4, it is written in its v4-mapped form, because both have one family. A client of a UNIX socket has no address: UNKNOWN, or UNSPEC.
/// </summary>
public static class ProxyHeaderWriter
{
    /// <summary>AF_UNSPEC and SOCK_UNSPEC (2.2): the receiver ignores the address.</summary>
    private const byte Unspecified = 0;

    /// <summary>How many bytes version 1 takes at most.</summary>
    public const int LongestV1 = ProxyHeaderV1.Longest;

    /// <summary>How many bytes <see cref="WriteV2"/> takes at most.</summary>
    public static int LongestV2(int authorityLength, int alpnLength, int uniqueIdLength) =>
        ProxyHeaderV2.FixedLength + ProxyHeaderV2.V6Length + (4 * ProxyTlvs.Header) + sizeof(uint)
        + authorityLength + alpnLength + uniqueIdLength;

    /// <summary>Writes the line of version 1 (proxy-protocol.txt, 2.1).</summary>
    /// <param name="target">At least <see cref="LongestV1"/> bytes.</param>
    /// <returns>The number of bytes written.</returns>
    public static int WriteV1(in FourTuple client, Span<byte> target)
    {
        if (client.Source.IsUnix)
        {
            return WriteUnknownV1(target);
        }

        bool isV4 = IsV4(client);
        int at = Append(isV4 ? "PROXY TCP4 "u8 : "PROXY TCP6 "u8, target, 0);
        at = AppendAddress(client.Source.Address, isV4, target, at);
        at = AppendAddress(client.Destination.Address, isV4, target, at);
        at = AppendPort(client.Source.Port, target, at);
        target[at++] = (byte)' ';
        at = AppendPort(client.Destination.Port, target, at);
        return Append("\r\n"u8, target, at);
    }

    /// <summary>
    /// Writes what version 1 has for connections of the balancer itself (health checks): <c>PROXY UNKNOWN</c>. The specification recommends
    /// the addresses of the connection instead, for receivers that reject UNKNOWN; with a <see cref="FourTuple"/> use <see
    /// cref="WriteV1"/>.
    /// </summary>
    /// <param name="target">At least <see cref="LongestV1"/> bytes.</param>
    public static int WriteUnknownV1(Span<byte> target) => Append("PROXY UNKNOWN\r\n"u8, target, 0);

    /// <summary>Writes LOCAL of version 2, for connections of the balancer itself: health checks.</summary>
    /// <param name="target">At least 16 bytes.</param>
    /// <returns>16.</returns>
    public static int WriteLocalV2(Span<byte> target)
    {
        WriteFixed(ProxyHeaderV2.Local, 0, target);
        WriteLength(ProxyHeaderV2.FixedLength, target);
        return ProxyHeaderV2.FixedLength;
    }

    /// <summary>Writes a header of version 2 (proxy-protocol.txt, 2.2) with a CRC32c, and with those values that are known.</summary>
    /// <param name="authority">The server name that the client sent; empty: not written.</param>
    /// <param name="alpn">Empty: not written.</param>
    /// <param name="uniqueId">At most <see cref="ProxyTlvs.LongestUniqueId"/> bytes; empty: not written.</param>
    /// <param name="target">At least <see cref="LongestV2"/> bytes.</param>
    /// <returns>The number of bytes written.</returns>
    public static int WriteV2(
        in FourTuple client, ReadOnlySpan<byte> authority, ReadOnlySpan<byte> alpn, ReadOnlySpan<byte> uniqueId, Span<byte> target)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(uniqueId.Length, ProxyTlvs.LongestUniqueId);
        bool isV4 = IsV4(client);
        bool hasAddress = !client.Source.IsUnix;
        WriteFixed(
            ProxyHeaderV2.Proxy, !hasAddress ? Unspecified : isV4 ? ProxyHeaderV2.TcpOverV4 : ProxyHeaderV2.TcpOverV6, target);
        int at = hasAddress ? WriteAddresses(client, isV4, target) : ProxyHeaderV2.FixedLength;
        at = AppendValue(ProxyTlvs.AlpnType, alpn, target, at);
        at = AppendValue(ProxyTlvs.AuthorityType, authority, target, at);
        at = AppendValue(ProxyTlvs.UniqueIdType, uniqueId, target, at);

        int checksum = at + ProxyTlvs.Header;
        at = AppendValue(ProxyTlvs.Crc32CType, [0, 0, 0, 0], target, at);
        WriteLength(at, target);
        BinaryPrimitives.WriteUInt32BigEndian(target[checksum..], ProxyTlvs.Checksum(target[..at], checksum));
        return at;
    }

    private static bool IsV4(in FourTuple client) => client.Source.Address.IsV4 && client.Destination.Address.IsV4;

    private static void WriteFixed(byte command, byte family, Span<byte> target)
    {
        ProxyHeaderV2.Signature.CopyTo(target);
        target[ProxyHeaderV2.Signature.Length] = command;
        target[ProxyHeaderV2.Signature.Length + 1] = family;
    }

    private static void WriteLength(int total, Span<byte> target) => BinaryPrimitives.WriteUInt16BigEndian(
        target[(ProxyHeaderV2.FixedLength - sizeof(ushort))..], checked((ushort)(total - ProxyHeaderV2.FixedLength)));

    private static int WriteAddresses(in FourTuple client, bool isV4, Span<byte> target)
    {
        int at = ProxyHeaderV2.FixedLength;
        if (isV4)
        {
            BinaryPrimitives.WriteUInt32BigEndian(target[at..], client.Source.Address.V4);
            BinaryPrimitives.WriteUInt32BigEndian(target[(at + 4)..], client.Destination.Address.V4);
            at += 8;
        }
        else
        {
            client.Source.Address.WriteTo(target[at..]);
            client.Destination.Address.WriteTo(target[(at + 16)..]);
            at += 32;
        }

        BinaryPrimitives.WriteUInt16BigEndian(target[at..], client.Source.Port);
        BinaryPrimitives.WriteUInt16BigEndian(target[(at + 2)..], client.Destination.Port);
        return at + 4;
    }

    private static int AppendValue(byte type, ReadOnlySpan<byte> value, Span<byte> target, int at)
    {
        if (value.IsEmpty)
        {
            return at;
        }

        target[at] = type;
        BinaryPrimitives.WriteUInt16BigEndian(target[(at + 1)..], checked((ushort)value.Length));
        return Append(value, target, at + ProxyTlvs.Header);
    }

    private static int Append(ReadOnlySpan<byte> bytes, Span<byte> target, int at)
    {
        bytes.CopyTo(target[at..]);
        return at + bytes.Length;
    }

    private static int AppendAddress(HostAddress address, bool isV4, Span<byte> target, int at)
    {
        // An IPv4 address beside an IPv6 one is written in its v4-mapped form (RFC 5952, 5).
        if (!isV4 && address.IsV4)
        {
            at = Append("::ffff:"u8, target, at);
        }

        at += AddressText.Write(address, target[at..]);
        target[at] = (byte)' ';
        return at + 1;
    }

    private static int AppendPort(ushort port, Span<byte> target, int at)
    {
        Utf8Formatter.TryFormat(port, target[at..], out int written);
        return at + written;
    }
}
