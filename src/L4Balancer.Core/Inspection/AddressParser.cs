using L4Balancer.Core.Addressing;

namespace L4Balancer.Core.Inspection;

/// <summary>
/// Reads addresses that stand as ASCII text on the wire, without allocation: a dotted quad without leading zeros, and IPv6 text
/// (RFC 4291, 2.2) without scope. <see cref="AddressText"/> writes them.
/// </summary>
internal static class AddressParser
{
    private const int Groups = 8;

    /// <summary>Whether a host is written as an address, the IPv6 one with or without brackets.</summary>
    public static bool IsAddress(ReadOnlySpan<byte> text) =>
        TryParseV4(text, out _) || TryParseV6(text is [(byte)'[', .. var inner, (byte)']'] ? inner : text, out _);

    public static bool TryParseV4(ReadOnlySpan<byte> text, out HostAddress address)
    {
        bool isParsed = TryParseQuad(text, out uint number);
        address = isParsed ? HostAddress.FromV4(number) : default;
        return isParsed;
    }

    /// <summary>A v4-mapped address becomes IPv4, as everywhere.</summary>
    public static bool TryParseV6(ReadOnlySpan<byte> text, out HostAddress address)
    {
        address = default;
        Span<ushort> groups = stackalloc ushort[Groups];
        int gap = -1;
        int count = 0;
        if (text.StartsWith("::"u8))
        {
            gap = 0;
            text = text[2..];
        }

        while (!text.IsEmpty)
        {
            int colon = text.IndexOf((byte)':');
            ReadOnlySpan<byte> part = colon < 0 ? text : text[..colon];
            if (colon < 0 && count <= Groups - 2 && TryParseQuad(part, out uint quad))
            {
                groups[count++] = (ushort)(quad >> 16);
                groups[count++] = (ushort)quad;
                break;
            }

            if (count == Groups || !TryParseGroup(part, out groups[count]))
            {
                return false;
            }

            count++;
            if (colon < 0)
            {
                break;
            }

            text = text[(colon + 1)..];
            if (text.IsEmpty)
            {
                return false;
            }

            if (text[0] == (byte)':')
            {
                if (gap >= 0)
                {
                    return false;
                }

                gap = count;
                text = text[1..];
            }
        }

        // "::" stands for one group or more.
        if (gap < 0 ? count != Groups : count >= Groups)
        {
            return false;
        }

        if (gap >= 0)
        {
            Span<ushort> tail = groups[gap..count];
            tail.CopyTo(groups[(Groups - tail.Length)..]);
            groups[gap..(Groups - (count - gap))].Clear();
        }

        address = new HostAddress(Half(groups), Half(groups[(Groups / 2)..]));
        return true;
    }

    private static ulong Half(ReadOnlySpan<ushort> groups) =>
        ((ulong)groups[0] << 48) | ((ulong)groups[1] << 32) | ((ulong)groups[2] << 16) | groups[3];

    private static bool TryParseQuad(ReadOnlySpan<byte> text, out uint address)
    {
        address = 0;
        for (int i = 0; i < 4; i++)
        {
            int dot = text.IndexOf((byte)'.');
            bool isLast = i == 3;
            if (dot < 0 != isLast || !TryParseNumber(isLast ? text : text[..dot], byte.MaxValue, out int part))
            {
                return false;
            }

            address = (address << 8) | (uint)part;
            text = isLast ? default : text[(dot + 1)..];
        }

        return true;
    }

    /// <summary>A decimal number without sign and leading zeros.</summary>
    public static bool TryParseNumber(ReadOnlySpan<byte> text, int most, out int number)
    {
        number = 0;
        if (text.Length is 0 or > 5 || (text.Length > 1 && text[0] == (byte)'0'))
        {
            return false;
        }

        foreach (byte digit in text)
        {
            if (digit is < (byte)'0' or > (byte)'9')
            {
                return false;
            }

            number = (10 * number) + (digit - '0');
        }

        return number <= most;
    }

    private static bool TryParseGroup(ReadOnlySpan<byte> text, out ushort group)
    {
        group = 0;
        if (text.Length is 0 or > 4)
        {
            return false;
        }

        foreach (byte digit in text)
        {
            if (!char.IsAsciiHexDigit((char)digit))
            {
                return false;
            }

            group = (ushort)((group << 4) | PercentEncoding.HexValue(digit));
        }

        return true;
    }
}
