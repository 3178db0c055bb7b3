using L4Balancer.Core.Addressing;

namespace L4Balancer.Core.Inspection;

/// <summary>
/// Version 1 (proxy-protocol.txt, 2.1): <c>PROXY TCP4 192.0.2.1 198.51.100.1 56324 443</c> and CRLF. Exactly that form: single spaces,
/// addresses of the family that is named, numbers without leading zeros. After UNKNOWN anything up to the CRLF is ignored.
/// </summary>
internal static class ProxyHeaderV1
{
    /// <summary>"PROXY UNKNOWN" and CRLF.</summary>
    public const int Shortest = 15;

    /// <summary>With CRLF.</summary>
    public const int Longest = 107;

    private static ReadOnlySpan<byte> Prefix => "PROXY "u8;

    public static InspectionResult TryParse(ReadOnlySpan<byte> received, out ProxyHeader header)
    {
        header = default;
        int compared = Math.Min(Prefix.Length, received.Length);
        if (!received[..compared].SequenceEqual(Prefix[..compared]))
        {
            return InspectionResult.Invalid("no PROXY header at the beginning");
        }

        ReadOnlySpan<byte> window = received[..Math.Min(received.Length, Longest)];
        int end = window.IndexOfAny((byte)'\r', (byte)'\n');
        if (end < 0)
        {
            return window.Length + 2 <= Longest
                ? InspectionResult.NeedMore(Math.Max(Shortest, window.Length + 2), Longest)
                : InspectionResult.Invalid("a PROXY line is longer than 107 bytes");
        }

        if (window[end] == (byte)'\n' || (end + 1 < window.Length ? window[end + 1] != (byte)'\n' : end + 1 == Longest))
        {
            return InspectionResult.Invalid("a PROXY line does not end in CRLF");
        }

        if (end + 1 == window.Length)
        {
            return InspectionResult.NeedMore(window.Length + 1, Longest);
        }

        if (!TryParseLine(window[compared..end], out FourTuple? addresses))
        {
            return InspectionResult.Invalid("a PROXY line is malformed");
        }

        header = new ProxyHeader(1, end + 2, addresses, default);
        return InspectionResult.Parsed;
    }

    // What follows "PROXY ".
    private static bool TryParseLine(ReadOnlySpan<byte> line, out FourTuple? addresses)
    {
        addresses = null;
        ReadOnlySpan<byte> family = Next(ref line, out bool hasMore);
        if (family.SequenceEqual("UNKNOWN"u8))
        {
            return true;
        }

        bool isV6 = family.SequenceEqual("TCP6"u8);
        if ((!isV6 && !family.SequenceEqual("TCP4"u8)) || !hasMore
            || !TryParseAddress(Next(ref line, out hasMore), isV6, out HostAddress source) || !hasMore
            || !TryParseAddress(Next(ref line, out hasMore), isV6, out HostAddress destination) || !hasMore
            || !AddressParser.TryParseNumber(Next(ref line, out hasMore), ushort.MaxValue, out int sourcePort) || !hasMore
            || !AddressParser.TryParseNumber(Next(ref line, out hasMore), ushort.MaxValue, out int destinationPort) || hasMore)
        {
            return false;
        }

        addresses = new FourTuple(new Endpoint(source, (ushort)sourcePort), new Endpoint(destination, (ushort)destinationPort));
        return true;
    }

    private static ReadOnlySpan<byte> Next(ref ReadOnlySpan<byte> line, out bool hasMore)
    {
        int space = line.IndexOf((byte)' ');
        hasMore = space >= 0;
        ReadOnlySpan<byte> word = hasMore ? line[..space] : line;
        line = hasMore ? line[(space + 1)..] : default;
        return word;
    }

    private static bool TryParseAddress(ReadOnlySpan<byte> text, bool isV6, out HostAddress address) =>
        isV6 ? AddressParser.TryParseV6(text, out address) : AddressParser.TryParseV4(text, out address);
}
