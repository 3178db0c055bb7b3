using System.Globalization;
using System.Text;

namespace L4Balancer.Core.Addressing;

/// <summary>
/// Writes addresses as UTF-8 without an allocation: the same text as <see cref="HostAddress.ToString"/> and
/// <see cref="Endpoint.ToString"/>, which is that of the framework (RFC 5952).
/// </summary>
internal static class AddressText
{
    /// <summary>The longest text of an address.</summary>
    public const int LongestAddress = 45;

    /// <summary>The longest text of an endpoint: that of a UNIX socket, which is longer than an address with brackets, colon and port.</summary>
    public const int LongestEndpoint = UnixPrefixLength + UnixPaths.Longest;

    private const int UnixPrefixLength = 5;

    private const int Groups = 8;

    /// <param name="utf8">At least <see cref="LongestEndpoint"/> bytes.</param>
    /// <returns>How many bytes were written.</returns>
    public static int Write(Endpoint endpoint, Span<byte> utf8)
    {
        if (endpoint.IsUnix)
        {
            return WriteUnix(endpoint, utf8);
        }

        int length;
        if (endpoint.Address.IsV4)
        {
            length = WriteV4(endpoint.Address.V4, utf8);
        }
        else
        {
            utf8[0] = (byte)'[';
            length = 1 + WriteV6(endpoint.Address, utf8[1..]);
            utf8[length++] = (byte)']';
        }

        utf8[length++] = (byte)':';
        endpoint.Port.TryFormat(utf8[length..], out int digits, provider: CultureInfo.InvariantCulture);
        return length + digits;
    }

    /// <param name="utf8">At least <see cref="LongestAddress"/> bytes.</param>
    /// <returns>How many bytes were written.</returns>
    public static int Write(HostAddress address, Span<byte> utf8) =>
        address.IsV4 ? WriteV4(address.V4, utf8) : WriteV6(address, utf8);

    private static int WriteUnix(Endpoint endpoint, Span<byte> utf8)
    {
        "unix:"u8.CopyTo(utf8);
        if (endpoint.UnixPath is { Length: > 0 } path)
        {
            return UnixPrefixLength + Encoding.ASCII.GetBytes(path, utf8[UnixPrefixLength..]);
        }

        endpoint.Port.TryFormat(utf8[UnixPrefixLength..], out int digits, provider: CultureInfo.InvariantCulture);
        return UnixPrefixLength + digits;
    }

    private static int WriteV4(uint address, Span<byte> utf8)
    {
        int length = WriteOctet((byte)(address >> 24), utf8);
        utf8[length++] = (byte)'.';
        length += WriteOctet((byte)(address >> 16), utf8[length..]);
        utf8[length++] = (byte)'.';
        length += WriteOctet((byte)(address >> 8), utf8[length..]);
        utf8[length++] = (byte)'.';
        return length + WriteOctet((byte)address, utf8[length..]);
    }

    private static int WriteOctet(byte octet, Span<byte> utf8)
    {
        int length = 0;
        if (octet >= 100)
        {
            utf8[length++] = (byte)('0' + (octet / 100));
        }

        if (octet >= 10)
        {
            utf8[length++] = (byte)('0' + (octet / 10 % 10));
        }

        utf8[length++] = (byte)('0' + (octet % 10));
        return length;
    }

    private static int WriteV6(HostAddress address, Span<byte> utf8)
    {
        Span<byte> bytes = stackalloc byte[16];
        address.WriteTo(bytes);
        Span<ushort> groups = stackalloc ushort[Groups];
        for (int i = 0; i < Groups; i++)
        {
            groups[i] = (ushort)((bytes[2 * i] << 8) | bytes[(2 * i) + 1]);
        }

        if (HasDottedEnd(groups))
        {
            address.ToIPAddress().TryFormat(utf8, out int written);
            return written;
        }

        (int start, int end) = LongestZeros(groups);
        int length = 0;
        for (int i = 0; i < Groups; i++)
        {
            if (i == start)
            {
                utf8[length++] = (byte)':';
                utf8[length++] = (byte)':';
                i = end - 1;
                continue;
            }

            if (i > 0 && i != end)
            {
                utf8[length++] = (byte)':';
            }

            groups[i].TryFormat(utf8[length..], out int digits, "x", CultureInfo.InvariantCulture);
            length += digits;
        }

        return length;
    }

    // Forms that the framework writes with an IPv4 address at the end: RFC 4291 2.5.5, RFC 2765 2.1 and ISATAP (RFC 5214 6.1). They
    // are rare, and may allocate.
    private static bool HasDottedEnd(ReadOnlySpan<ushort> groups) =>
        (groups[..4].IndexOfAnyExcept((ushort)0) < 0 && groups[6] != 0 && (groups[4] == 0 || groups[5] == 0)) || groups[5] == 0x5EFE;

    /// <summary>The longest run of two zeros or more, the first of several; -1 for both if there is none.</summary>
    private static (int Start, int End) LongestZeros(ReadOnlySpan<ushort> groups)
    {
        (int start, int end) = (-1, -1);
        for (int from = 0; from < groups.Length; from++)
        {
            int to = from;
            while (to < groups.Length && groups[to] == 0)
            {
                to++;
            }

            if (to - from > 1 && to - from > end - start)
            {
                (start, end) = (from, to);
            }

            from = to;
        }

        return (start, end);
    }
}
