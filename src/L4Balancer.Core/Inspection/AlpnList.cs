namespace L4Balancer.Core.Inspection;

/// <summary>
/// The protocols that a client offers (ALPN, RFC 7301, 3.1), in its order of preference. Empty if it offers none. Lives as long as the
/// bytes that it was read from.
/// </summary>
public readonly ref struct AlpnList
{
    // ProtocolName protocol_name_list, without its length; each name is valid.
    private readonly ReadOnlySpan<byte> _names;

    private AlpnList(ReadOnlySpan<byte> names) => _names = names;

    public bool IsEmpty => _names.IsEmpty;

    /// <param name="extension">The extension_data of application_layer_protocol_negotiation.</param>
    internal static bool TryParse(ReadOnlySpan<byte> extension, out AlpnList list)
    {
        list = default;
        ByteReader reader = new(extension);
        if (!reader.TryReadVector16(out ReadOnlySpan<byte> names) || names.IsEmpty || !reader.IsAtEnd)
        {
            return false;
        }

        reader = new ByteReader(names);
        while (!reader.IsAtEnd)
        {
            // "Empty strings MUST NOT be included" (RFC 7301, 3.1).
            if (!reader.TryReadVector8(out ReadOnlySpan<byte> name) || name.IsEmpty)
            {
                return false;
            }
        }

        list = new AlpnList(names);
        return true;
    }

    /// <summary>Protocol names are compared byte by byte (RFC 7301, 3.2).</summary>
    public bool Contains(ReadOnlySpan<byte> protocol)
    {
        foreach (ReadOnlySpan<byte> name in this)
        {
            if (name.SequenceEqual(protocol))
            {
                return true;
            }
        }

        return false;
    }

    public Enumerator GetEnumerator() => new(_names);

    public ref struct Enumerator
    {
        private ByteReader _reader;
        private ReadOnlySpan<byte> _current;

        internal Enumerator(ReadOnlySpan<byte> names) => _reader = new ByteReader(names);

        public readonly ReadOnlySpan<byte> Current => _current;

        public bool MoveNext() => _reader.TryReadVector8(out _current);
    }
}
