namespace L4Balancer.Core.Inspection;

/// <summary>
/// What a TLS client sends first (RFC 8446, 4.1.2): the server name that it wants (RFC 6066, 3) and the protocols that it offers
/// (RFC 7301). Nothing is decrypted. With Encrypted Client Hello (RFC 9849) this is the outer hello, whose name is the public name of the
/// client-facing server; the extension itself is skipped like any unknown one, because clients also send it without meaning (GREASE ECH,
/// 6.2). Reserved values (GREASE, RFC 8701) are unknown values. Lives as long as the bytes and the scratch that it was read from.
/// </summary>
public readonly ref struct ClientHello
{
    private const ushort ServerNameExtension = 0;
    private const ushort AlpnExtension = 16;

    // legacy_version and random
    private const int FixedPart = 2 + 32;
    private const int LongestSessionId = 32;

    private ClientHello(ReadOnlySpan<byte> serverName, AlpnList alpn)
    {
        ServerName = serverName;
        Alpn = alpn;
    }

    /// <summary>
    /// In lower case, without a trailing dot; empty if the client named none, or what cannot be a host name (<see
    /// cref="ServerNames.Normalize"/>).
    /// </summary>
    public ReadOnlySpan<byte> ServerName { get; }

    public AlpnList Alpn { get; }

    /// <summary>How long the scratch of <see cref="TryParse"/> must be.</summary>
    /// <param name="limit">The limit, in bytes.</param>
    public static int ScratchLength(int limit) => limit + ServerNames.Longest;

    /// <summary>
    /// Parses a ClientHello that may be split into segments and records in any way. A hello is valid or invalid as a whole: a malformed
    /// part after the name makes it invalid too, as it does for a TLS server. An extension that is given twice is invalid (RFC 8446, 4.2).
    /// </summary>
    /// <param name="received">All bytes received so far, from the first.</param>
    /// <param name="limit">How many bytes a hello may take on the wire, record headers included.</param>
    /// <param name="scratch">At least <see cref="ScratchLength"/> of the smaller one of the limit and the bytes received.</param>
    public static InspectionResult TryParse(ReadOnlySpan<byte> received, int limit, Span<byte> scratch, out ClientHello hello)
    {
        hello = default;
        received = received.Length > limit ? received[..limit] : received;
        ArgumentOutOfRangeException.ThrowIfLessThan(scratch.Length, ScratchLength(received.Length));
        InspectionResult result = TlsRecords.TryJoin(received, limit, scratch[ServerNames.Longest..], out ReadOnlySpan<byte> body);
        if (result.Outcome != InspectionOutcome.Parsed)
        {
            return result;
        }

        ByteReader reader = new(body);
        if (!reader.TrySkip(FixedPart)
            || !reader.TryReadVector8(out ReadOnlySpan<byte> session) || session.Length > LongestSessionId
            || !reader.TryReadVector16(out ReadOnlySpan<byte> suites) || suites.IsEmpty || suites.Length % 2 != 0
            || !reader.TryReadVector8(out ReadOnlySpan<byte> compressions) || compressions.IsEmpty)
        {
            return InspectionResult.Invalid("the fixed fields of a ClientHello are malformed");
        }

        // Until TLS 1.2 a hello may end here (RFC 5246, 7.4.1.2).
        if (reader.IsAtEnd)
        {
            return InspectionResult.Parsed;
        }

        return reader.TryReadVector16(out ReadOnlySpan<byte> extensions) && reader.IsAtEnd
            ? ReadExtensions(extensions, scratch[..ServerNames.Longest], out hello)
            : InspectionResult.Invalid("the extensions of a ClientHello do not end with it");
    }

    private static InspectionResult ReadExtensions(ReadOnlySpan<byte> extensions, Span<byte> target, out ClientHello hello)
    {
        hello = default;
        ReadOnlySpan<byte> name = default;
        AlpnList alpn = default;
        bool hasName = false;
        ByteReader reader = new(extensions);
        while (!reader.IsAtEnd)
        {
            if (!reader.TryReadUInt16(out ushort type) || !reader.TryReadVector16(out ReadOnlySpan<byte> data))
            {
                return InspectionResult.Invalid("an extension of a ClientHello is malformed");
            }

            if (type == ServerNameExtension)
            {
                if (hasName || !ServerNames.TryParse(data, target, out name))
                {
                    return InspectionResult.Invalid("the server_name extension of a ClientHello is malformed or given twice");
                }

                hasName = true;
            }
            else if (type == AlpnExtension && (!alpn.IsEmpty || !AlpnList.TryParse(data, out alpn)))
            {
                return InspectionResult.Invalid("the ALPN extension of a ClientHello is malformed or given twice");
            }
        }

        hello = new ClientHello(name, alpn);
        return InspectionResult.Parsed;
    }
}
