namespace L4Balancer.Core.Inspection;

/// <summary>The server_name extension (RFC 6066, 3), and the form in which its name is used for routes and keys.</summary>
internal static class ServerNames
{
    /// <summary>In bytes. Longer ones are no DNS names (RFC 1035, 2.3.4: 253 without the root), and count as no name.</summary>
    public const int Longest = 255;

    private const byte HostNameType = 0;

    /// <param name="extension">The extension_data.</param>
    /// <param name="target">At least <see cref="Longest"/> bytes; where the name is written.</param>
    /// <param name="name">The first host_name in the list; empty if there is none that is usable.</param>
    /// <returns>False if the list is malformed.</returns>
    public static bool TryParse(ReadOnlySpan<byte> extension, Span<byte> target, out ReadOnlySpan<byte> name)
    {
        name = default;
        ByteReader reader = new(extension);
        if (!reader.TryReadVector16(out ReadOnlySpan<byte> list) || list.IsEmpty || !reader.IsAtEnd)
        {
            return false;
        }

        bool isFound = false;
        reader = new ByteReader(list);
        while (!reader.IsAtEnd)
        {
            // An empty name is not allowed, but is sent, and means no name. Other name types were never defined; they are read in the same
            // form.
            if (!reader.TryReadByte(out byte type) || !reader.TryReadVector16(out ReadOnlySpan<byte> value))
            {
                return false;
            }

            if (type == HostNameType && !isFound)
            {
                isFound = true;
                name = Normalize(value, target);
            }
        }

        return true;
    }

    /// <summary>
    /// Lower case, because DNS ignores case (RFC 4343), and without one trailing dot. Other bytes are kept, as nginx and HAProxy keep them.
    /// A name with a NUL, which some programs would cut there, and an IP address, which is not permitted (RFC 6066, 3), are no names.
    /// </summary>
    /// <returns>Part of <paramref name="target"/>; empty for what is no name.</returns>
    public static ReadOnlySpan<byte> Normalize(ReadOnlySpan<byte> name, Span<byte> target)
    {
        name = name is [.. var rest, (byte)'.'] ? rest : name;
        if (name.Length is 0 or > Longest || name.Contains((byte)0) || AddressParser.IsAddress(name))
        {
            return default;
        }

        for (int i = 0; i < name.Length; i++)
        {
            target[i] = name[i] is >= (byte)'A' and <= (byte)'Z' ? (byte)(name[i] | 0x20) : name[i];
        }

        return target[..name.Length];
    }
}
