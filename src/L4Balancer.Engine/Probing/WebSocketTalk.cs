using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using L4Balancer.Core.Http;

namespace L4Balancer.Engine.Probing;

/// <summary>Sends a ping over an open WebSocket and waits for its pong. Other frames of the server are skipped.</summary>
internal sealed class WebSocketTalk(Stream stream, byte[] buffer)
{
    /// <summary>Maximum bytes that a server may send before the pong.</summary>
    private const int MostSkipped = 64 * 1024;

    private const int PayloadLength = 8;
    private const int NormalClosure = 1000;

    private readonly byte[] _payload = RandomNumberGenerator.GetBytes(PayloadLength);
    private long _toSkip;
    private long _skipped;

    /// <param name="filled">Number of bytes from the server already in the buffer, from its beginning on.</param>
    /// <returns>What went wrong, in a few words; null if the pong arrived.</returns>
    public async ValueTask<string?> PingAsync(int filled)
    {
        await stream.WriteAsync(Frame(WebSocketFrame.Ping, _payload)).ConfigureAwait(false);
        while (true)
        {
            switch (Look(buffer.AsSpan(0, filled), out int taken, out string? fault))
            {
                case ParseResult.Parsed:
                    return fault;
                case ParseResult.Invalid:
                    return "sent an invalid WebSocket frame";
            }

            filled -= taken;
            buffer.AsSpan(taken, filled).CopyTo(buffer);
            int count = await stream.ReadAsync(buffer.AsMemory(filled)).ConfigureAwait(false);
            if (count == 0)
            {
                return "closed before the pong";
            }

            filled += count;
        }
    }

    /// <summary>The client's close frame, with the status code for a normal closure.</summary>
    public static byte[] CloseFrame()
    {
        Span<byte> code = stackalloc byte[2];
        BinaryPrimitives.WriteUInt16BigEndian(code, NormalClosure);
        return Frame(WebSocketFrame.Close, code);
    }

    /// <returns>
    /// <see cref="ParseResult.Parsed"/> if the result is decided. With <see cref="ParseResult.NeedMore"/>, the taken bytes can be
    /// discarded; the remaining ones are shorter than a control frame.
    /// </returns>
    private ParseResult Look(ReadOnlySpan<byte> bytes, out int taken, out string? fault)
    {
        taken = 0;
        fault = null;
        while (true)
        {
            var skip = (int)Math.Min(_toSkip, bytes.Length - taken);
            taken += skip;
            _toSkip -= skip;
            ParseResult result = WebSocketFrame.TryParse(bytes[taken..], out WebSocketFrame frame);
            if (result != ParseResult.Parsed)
            {
                return result;
            }

            // Compared before adding, because the length may be any 63-bit number.
            if (frame.PayloadLength > MostSkipped || _skipped + frame.HeaderLength + frame.PayloadLength > MostSkipped)
            {
                fault = $"sent more than {MostSkipped / 1024} KiB before the pong";
                return ParseResult.Parsed;
            }

            if (frame.Opcode >= WebSocketFrame.Close)
            {
                ReadOnlySpan<byte> said = bytes[(taken + frame.HeaderLength)..];
                if (said.Length < frame.PayloadLength)
                {
                    return ParseResult.NeedMore;
                }

                said = said[..(int)frame.PayloadLength];
                if (frame.Opcode == WebSocketFrame.Close)
                {
                    fault = said.Length < 2 ? "closed the WebSocket before the pong" : string.Create(
                        CultureInfo.InvariantCulture, $"closed the WebSocket before the pong ({BinaryPrimitives.ReadUInt16BigEndian(said)})");
                    return ParseResult.Parsed;
                }

                if (frame.Opcode == WebSocketFrame.Pong && said.SequenceEqual(_payload))
                {
                    return ParseResult.Parsed;
                }
            }

            taken += frame.HeaderLength;
            _toSkip = frame.PayloadLength;
            _skipped += frame.HeaderLength + frame.PayloadLength;
        }
    }

    private static byte[] Frame(byte opcode, ReadOnlySpan<byte> payload)
    {
        Span<byte> frame = stackalloc byte[WebSocketFrame.LongestControl];
        return frame[..WebSocketFrame.WriteControl(frame, opcode, payload, BitConverter.ToUInt32(RandomNumberGenerator.GetBytes(4)))].ToArray();
    }
}
