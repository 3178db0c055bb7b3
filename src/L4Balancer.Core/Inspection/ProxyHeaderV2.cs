using System.Buffers.Binary;
using L4Balancer.Core.Addressing;

namespace L4Balancer.Core.Inspection;

/// <summary>
/// Version 2 (proxy-protocol.txt, 2.2): signature, version and command, family and protocol, the length of the rest; then the addresses,
/// and TLVs up to the announced length. Each byte of the first sixteen is checked as soon as it is there.
/// </summary>
internal static class ProxyHeaderV2
{
    /// <summary>Signature and fixed fields, in bytes.</summary>
    public const int FixedLength = 16;

    public const byte Local = 0x20;
    public const byte Proxy = 0x21;
    public const byte TcpOverV4 = 0x11;
    public const byte TcpOverV6 = 0x21;

    /// <summary>Two addresses and two ports.</summary>
    public const int V4Length = (2 * 4) + (2 * 2);

    /// <inheritdoc cref="V4Length"/>
    public const int V6Length = (2 * 16) + (2 * 2);

    // Two paths of 108 bytes.
    private const int UnixLength = 2 * 108;

    private const int CommandAt = 12;
    private const int FamilyAt = 13;
    private const int LengthAt = 14;

    public static ReadOnlySpan<byte> Signature => [0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A];

    public static InspectionResult TryParse(ReadOnlySpan<byte> received, out ProxyHeader header)
    {
        header = default;
        if (FixedFault(received) is { } fault)
        {
            return InspectionResult.Invalid(fault);
        }

        if (received.Length < FixedLength)
        {
            return InspectionResult.NeedMore(FixedLength, ProxyHeader.Longest);
        }

        int length = FixedLength + BinaryPrimitives.ReadUInt16BigEndian(received[LengthAt..]);
        bool isLocal = received[CommandAt] == Local;
        byte family = received[FamilyAt];
        int addresses = isLocal ? 0 : AddressLength(family);
        if (length > ProxyHeader.Longest || length < FixedLength + addresses)
        {
            return InspectionResult.Invalid("the length of a PROXY header is above 4096 bytes, or too short for its addresses");
        }

        if (received.Length < length)
        {
            return InspectionResult.NeedMore(length, ProxyHeader.Longest);
        }

        // The contents of LOCAL and UNSPEC are skipped: without a family the length of the addresses is not known.
        if (isLocal || addresses == 0)
        {
            header = new ProxyHeader(2, length, null, default);
            return InspectionResult.Parsed;
        }

        ReadOnlySpan<byte> whole = received[..length];
        if (!ProxyTlvs.TryParse(whole, FixedLength + addresses, out ProxyTlvs values, out fault))
        {
            return InspectionResult.Invalid(fault);
        }

        header = new ProxyHeader(2, length, ReadAddresses(family, whole[FixedLength..]), values);
        return InspectionResult.Parsed;
    }

    private static string? FixedFault(ReadOnlySpan<byte> received)
    {
        int compared = Math.Min(Signature.Length, received.Length);
        if (!received[..compared].SequenceEqual(Signature[..compared]))
        {
            return "no PROXY header at the beginning";
        }

        if (received.Length > CommandAt && received[CommandAt] is not (Local or Proxy))
        {
            return "a PROXY header has an unknown version or command";
        }

        // "Discard the protocol block including the family which is ignored" (LOCAL).
        bool isIgnored = received.Length > CommandAt && received[CommandAt] == Local;
        return received.Length > FamilyAt && !isIgnored && (received[FamilyAt] >> 4 > 3 || (received[FamilyAt] & 0x0F) > 2)
            ? "a PROXY header has an unknown address family or protocol"
            : null;
    }

    // Per family: unspecified, IPv4, IPv6, UNIX. With an unspecified protocol (0) the addresses are not read either.
    private static int AddressLength(byte family) => (family & 0x0F) == 0 ? 0 : (family >> 4) switch
    {
        1 => V4Length,
        2 => V6Length,
        3 => UnixLength,
        _ => 0,
    };

    private static FourTuple? ReadAddresses(byte family, ReadOnlySpan<byte> bytes) => family switch
    {
        TcpOverV4 => new FourTuple(
            new Endpoint(HostAddress.FromV4(BinaryPrimitives.ReadUInt32BigEndian(bytes)), Port(bytes[8..])),
            new Endpoint(HostAddress.FromV4(BinaryPrimitives.ReadUInt32BigEndian(bytes[4..])), Port(bytes[10..]))),
        TcpOverV6 => new FourTuple(
            new Endpoint(HostAddress.FromV6(bytes), Port(bytes[32..])),
            new Endpoint(HostAddress.FromV6(bytes[16..]), Port(bytes[34..]))),
        _ => null,
    };

    private static ushort Port(ReadOnlySpan<byte> bytes) => BinaryPrimitives.ReadUInt16BigEndian(bytes);
}
