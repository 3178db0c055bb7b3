using System.Buffers.Binary;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Inspection;

namespace L4Balancer.Fuzz.Targets;

/// <summary>
/// The PROXY headers that are written for clients of any address and with any values: the parser reads the same from them. An input is a
/// byte of choices, two addresses of 16 bytes, two ports, two lengths, and the values.
/// </summary>
internal sealed class ProxyWriterTarget : FuzzTarget
{
    private const int FixedPart = 1 + 16 + 16 + 2 + 2 + 2;

    public override string Name => "proxywriter";

    public override int Longest => 2048;

    public override IReadOnlyList<byte[]> Fragments { get; } =
    [
        [0], [1], [2], [3], [4], [255, 255], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255], [0x20, 1, 0x0D, 0xB8], [.. "a.test"u8], [.. "h2"u8], [.. "\r\n"u8],
    ];

    public override IEnumerable<byte[]> Seeds() =>
        Enumerable.Range(0, 5).Select(choices => (byte[])
        [
            (byte)choices, 0x20, 1, 0x0D, 0xB8, .. new byte[11], 1, .. new byte[10], 255, 255, 192, 0, 2, 1, 0xC8, 0x22, 1, 0xBB, 6, 2,
            .. "a.testh2"u8, .. Guid.Empty.ToByteArray(),
        ]);

    public override bool Run(byte[] bytes)
    {
        if (bytes.Length < FixedPart)
        {
            return false;
        }

        bool isUnix = (bytes[0] & 4) != 0;
        Endpoint source = ReadEndpoint(bytes.AsSpan(1), bytes.AsSpan(33), isV4: (bytes[0] & 1) != 0);
        var client = new FourTuple(
            isUnix ? Endpoint.OfUnixClient(source.Port) : source, ReadEndpoint(bytes.AsSpan(17), bytes.AsSpan(35), isV4: (bytes[0] & 2) != 0));
        FourTuple? expected = isUnix ? null : client;
        CheckV1(client, expected);
        ReadOnlySpan<byte> values = bytes.AsSpan(FixedPart);
        ReadOnlySpan<byte> authority = Take(ref values, bytes[37]);
        ReadOnlySpan<byte> alpn = Take(ref values, bytes[38]);
        CheckV2(client, expected, authority, alpn, Take(ref values, ProxyTlvs.LongestUniqueId));
        return true;
    }

    private static void CheckV1(FourTuple client, FourTuple? expected)
    {
        var written = new byte[ProxyHeaderWriter.LongestV1];
        int length = ProxyHeaderWriter.WriteV1(client, written);
        InspectionResult result = ProxyHeader.TryParse(written.AsSpan(0, length), out ProxyHeader header);
        Finding.Unless(
            result.Outcome == InspectionOutcome.Parsed && header.Version == 1 && header.Length == length && header.Addresses == expected,
            $"version 1 of {client}: {Convert.ToHexString(written, 0, length)} {result}");
    }

    private static void CheckV2(
        FourTuple client, FourTuple? expected, ReadOnlySpan<byte> authority, ReadOnlySpan<byte> alpn, ReadOnlySpan<byte> uniqueId)
    {
        var written = new byte[ProxyHeaderWriter.LongestV2(authority.Length, alpn.Length, uniqueId.Length)];
        int length = ProxyHeaderWriter.WriteV2(client, authority, alpn, uniqueId, written);
        InspectionResult result = ProxyHeader.TryParse(written.AsSpan(0, length), out ProxyHeader header);
        Finding.Unless(
            result.Outcome == InspectionOutcome.Parsed && header.Version == 2 && header.Length == length && header.Addresses == expected,
            $"version 2 of {client}: {Convert.ToHexString(written, 0, length)} {result}");

        // Without addresses the receiver ignores the values (proxy-protocol.txt, 2.2).
        ProxyTlvs values = header.Values;
        Finding.Unless(
            expected is null || (values.Authority.SequenceEqual(authority) && values.Alpn.SequenceEqual(alpn) && values.UniqueId.SequenceEqual(uniqueId)),
            $"values of {Convert.ToHexString(written, 0, length)}");
    }

    private static Endpoint ReadEndpoint(ReadOnlySpan<byte> address, ReadOnlySpan<byte> port, bool isV4) => new(
        isV4 ? HostAddress.FromV4(BinaryPrimitives.ReadUInt32BigEndian(address[12..])) : HostAddress.FromV6(address[..16]),
        BinaryPrimitives.ReadUInt16BigEndian(port));

    private static ReadOnlySpan<byte> Take(ref ReadOnlySpan<byte> rest, int length)
    {
        ReadOnlySpan<byte> taken = rest[..Math.Min(length, rest.Length)];
        rest = rest[taken.Length..];
        return taken;
    }
}
