namespace L4Balancer.Core.Inspection;

/// <summary>
/// Percent-encoding (RFC 3986, 2.1), for two uses: paths are compared in a normal form that keeps their meaning, and the names and values
/// of a query are decoded once. A "%" without two hexadecimal digits stands for itself.
/// </summary>
internal static class PercentEncoding
{
    private const int TripletLength = 3;

    /// <summary>
    /// The normal form of RFC 3986, 6.2.2.1 and 6.2.2.2: an encoded letter, digit, "-", ".", "_" or "~" is decoded, the digits of other
    /// triplets are written in upper case. "%2F" is not a "/", dot segments stay, and so do empty segments ("//").
    /// </summary>
    /// <param name="target">At least as long as <paramref name="path"/>.</param>
    /// <returns>The path itself if it contains no "%"; otherwise a part of <paramref name="target"/>.</returns>
    public static ReadOnlySpan<byte> NormalizePath(ReadOnlySpan<byte> path, Span<byte> target)
    {
        if (!path.Contains((byte)'%'))
        {
            return path;
        }

        int length = 0;
        for (int at = 0; at < path.Length;)
        {
            if (!TryDecode(path[at..], out byte value))
            {
                target[length++] = path[at++];
                continue;
            }

            if (IsUnreserved(value))
            {
                target[length++] = value;
            }
            else
            {
                target[length] = (byte)'%';
                target[length + 1] = HexDigit(value >> 4);
                target[length + 2] = HexDigit(value & 0x0F);
                length += TripletLength;
            }

            at += TripletLength;
        }

        return target[..length];
    }

    /// <summary>Decodes a name or value of application/x-www-form-urlencoded (WHATWG URL, 5.1), in which "+" is a space.</summary>
    /// <param name="target">At least as long as <paramref name="text"/>.</param>
    /// <returns>The text itself if nothing is encoded; otherwise a part of <paramref name="target"/>.</returns>
    public static ReadOnlySpan<byte> DecodeForm(ReadOnlySpan<byte> text, Span<byte> target)
    {
        if (!text.ContainsAny("%+"u8))
        {
            return text;
        }

        int length = 0;
        while (!text.IsEmpty)
        {
            target[length++] = NextOfForm(ref text);
        }

        return target[..length];
    }

    /// <summary>Whether a text decodes to <paramref name="plain"/>.</summary>
    public static bool FormEquals(ReadOnlySpan<byte> text, ReadOnlySpan<byte> plain)
    {
        foreach (byte expected in plain)
        {
            if (text.IsEmpty || NextOfForm(ref text) != expected)
            {
                return false;
            }
        }

        return text.IsEmpty;
    }

    /// <summary>The value of a hexadecimal digit.</summary>
    public static int HexValue(byte digit) => digit <= (byte)'9' ? digit - '0' : (digit | 0x20) - 'a' + 10;

    /// <param name="value">0 to 15.</param>
    public static byte HexDigit(int value) => "0123456789ABCDEF"u8[value];

    private static byte NextOfForm(ref ReadOnlySpan<byte> text)
    {
        byte next = text[0] == (byte)'+' ? (byte)' ' : text[0];
        bool isEncoded = TryDecode(text, out byte decoded);
        text = text[(isEncoded ? TripletLength : 1)..];
        return isEncoded ? decoded : next;
    }

    private static bool TryDecode(ReadOnlySpan<byte> text, out byte value)
    {
        bool isTriplet = text.Length >= TripletLength && text[0] == (byte)'%'
            && char.IsAsciiHexDigit((char)text[1]) && char.IsAsciiHexDigit((char)text[2]);
        value = isTriplet ? (byte)((HexValue(text[1]) << 4) | HexValue(text[2])) : (byte)0;
        return isTriplet;
    }

    private static bool IsUnreserved(byte value) =>
        char.IsAsciiLetterOrDigit((char)value) || value is (byte)'-' or (byte)'.' or (byte)'_' or (byte)'~';
}
