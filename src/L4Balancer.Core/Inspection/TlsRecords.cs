using System.Buffers.Binary;

namespace L4Balancer.Core.Inspection;

/// <summary>
/// Joins the first handshake message of a client from its TLS records (RFC 8446, 5.1; RFC 5246, 6.2.1). A message may be split over any
/// number of records, down to one byte each, and a record over any number of segments.
/// </summary>
internal static class TlsRecords
{
    private const byte Handshake = 22;
    private const byte ClientHello = 1;
    private const byte MajorVersion = 3;

    // type, legacy_record_version, length
    private const int RecordHeader = 5;

    // msg_type and a length of three bytes (RFC 8446, 4)
    private const int MessageHeader = 4;

    // RFC 8446, 5.1: the length of a TLSPlaintext must not exceed 2^14.
    private const int LongestFragment = 1 << 14;

    /// <param name="received">All bytes received so far, at most <paramref name="limit"/>.</param>
    /// <param name="scratch">At least as long as <paramref name="received"/>; used only if the message spans several records.</param>
    /// <param name="body">
    /// The ClientHello without its message header: part of <paramref name="received"/> or of <paramref name="scratch"/>.
    /// </param>
    public static InspectionResult TryJoin(ReadOnlySpan<byte> received, int limit, Span<byte> scratch, out ReadOnlySpan<byte> body)
    {
        body = default;
        ReadOnlySpan<byte> message = default;
        bool isCopied = false;
        for (int at = 0; ;)
        {
            int missing = Missing(message);
            ReadOnlySpan<byte> record = received[at..];
            if (HeaderFault(record) is { } fault)
            {
                // Handshake messages are not interleaved with other records (RFC 8446, 5.1).
                return at == 0
                    ? InspectionResult.OtherProtocol(fault)
                    : InspectionResult.Invalid("a ClientHello is interrupted by a record of another type or version");
            }

            if (record.Length < RecordHeader)
            {
                // The first header is waited for alone, so that what is not TLS is recognised early.
                return InspectionResult.NeedMore((long)at + RecordHeader + (at == 0 ? 0 : missing), limit);
            }

            int length = BinaryPrimitives.ReadUInt16BigEndian(record[(RecordHeader - sizeof(ushort))..]);
            if (length is 0 or > LongestFragment)
            {
                return InspectionResult.Invalid("a TLS record has no bytes or more than 16384");
            }

            int end = at + RecordHeader + length;
            ReadOnlySpan<byte> fragment = received[(at + RecordHeader)..Math.Min(end, received.Length)];
            if (at == 0)
            {
                message = fragment;
            }
            else
            {
                if (!isCopied)
                {
                    message.CopyTo(scratch);
                    isCopied = true;
                }

                fragment.CopyTo(scratch[message.Length..]);
                message = scratch[..(message.Length + fragment.Length)];
            }

            if (!message.IsEmpty && message[0] != ClientHello)
            {
                return InspectionResult.Invalid("the first TLS handshake message is no ClientHello");
            }

            missing = Missing(message);
            if (missing <= 0)
            {
                body = message[MessageHeader..(message.Length + missing)];
                return InspectionResult.Parsed;
            }

            // A message that is announced to be too long stays so, whatever the next record is.
            int inRecord = Math.Max(0, end - received.Length);
            InspectionResult more = InspectionResult.NeedMore(
                missing <= inRecord ? (long)received.Length + missing : (long)end + RecordHeader + missing - inRecord, limit);
            if (inRecord > 0 || more.Outcome == InspectionOutcome.TooLong)
            {
                return more;
            }

            at = end;
        }
    }

    // How many bytes of the message are missing, at least; negative if bytes of another message follow it.
    private static int Missing(ReadOnlySpan<byte> message) => message.Length < MessageHeader
        ? MessageHeader - message.Length
        : MessageHeader + ((message[1] << 16) | BinaryPrimitives.ReadUInt16BigEndian(message[2..])) - message.Length;

    private static string? HeaderFault(ReadOnlySpan<byte> record)
    {
        if (record.Length > 0 && record[0] != Handshake)
        {
            // An SSLv2 hello (RFC 5246, E.2) begins with a two-byte length whose high bit is set, and a message type 1.
            return (record[0] & 0x80) != 0 ? "an SSLv2 hello, or no TLS" : "no TLS handshake record";
        }

        return record.Length > 1 && record[1] != MajorVersion ? "a TLS record of an unknown version" : null;
    }
}
