using System.Buffers.Binary;

namespace L4Balancer.Core.Http;

/// <summary>The header of a WebSocket frame received by a client (RFC 6455, 5.2), without extensions.</summary>
/// <param name="HeaderLength">Length of the header in bytes.</param>
/// <param name="PayloadLength">Length of the payload in bytes.</param>
public readonly record struct WebSocketFrame(byte Opcode, int HeaderLength, long PayloadLength)
{
    public const byte Close = 8;
    public const byte Ping = 9;
    public const byte Pong = 10;

    /// <summary>Maximum payload of a control frame in bytes.</summary>
    public const int LongestControl = 125;

    // Two bytes and the masking key.
    private const int MaskedHeader = 6;

    /// <summary>Parses a frame from a server; a masked frame is invalid (RFC 6455, 5.1).</summary>
    public static ParseResult TryParse(ReadOnlySpan<byte> bytes, out WebSocketFrame frame)
    {
        frame = default;
        if (bytes.Length < 2)
        {
            return ParseResult.NeedMore;
        }

        bool final = (bytes[0] & 0x80) != 0;
        var opcode = (byte)(bytes[0] & 0x0F);
        int shortLength = bytes[1] & 0x7F;
        bool masked = (bytes[1] & 0x80) != 0;
        bool known = opcode is <= 2 or (>= Close and <= Pong);
        if ((bytes[0] & 0x70) != 0 || masked || !known || (opcode >= Close && (!final || shortLength > LongestControl)))
        {
            return ParseResult.Invalid;
        }

        int header = shortLength switch { 126 => 4, 127 => 10, _ => 2 };
        if (bytes.Length < header)
        {
            return ParseResult.NeedMore;
        }

        ulong length = shortLength switch
        {
            126 => BinaryPrimitives.ReadUInt16BigEndian(bytes[2..]),
            127 => BinaryPrimitives.ReadUInt64BigEndian(bytes[2..]),
            _ => (ulong)shortLength,
        };
        frame = new WebSocketFrame(opcode, header, (long)length);
        return length <= long.MaxValue ? ParseResult.Parsed : ParseResult.Invalid;
    }

    /// <summary>Writes a control frame as a client sends it, masked.</summary>
    /// <param name="target">At least 6 bytes more than the payload.</param>
    /// <param name="payload">At most <see cref="LongestControl"/> bytes.</param>
    /// <param name="mask">A random number, so that the bytes on the wire cannot be predicted (RFC 6455, 10.3).</param>
    /// <returns>The number of bytes written.</returns>
    public static int WriteControl(Span<byte> target, byte opcode, ReadOnlySpan<byte> payload, uint mask)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(payload.Length, LongestControl);
        target[0] = (byte)(0x80 | opcode);
        target[1] = (byte)(0x80 | payload.Length);
        Span<byte> key = target[2..MaskedHeader];
        BinaryPrimitives.WriteUInt32BigEndian(key, mask);
        for (int i = 0; i < payload.Length; i++)
        {
            target[MaskedHeader + i] = (byte)(payload[i] ^ key[i % 4]);
        }

        return MaskedHeader + payload.Length;
    }
}
