using L4Balancer.Core.Http;
using L4Balancer.Core.Mqtt;
using L4Balancer.Engine.Probing;

namespace L4Balancer.Fuzz.Targets;

/// <summary>
/// What backends answer to probes: HTTP heads, frames after an upgrade, and CONNACK packets. The first byte of an input is the size of the
/// segments in which the rest arrives.
/// </summary>
internal sealed class ProbeAnswerTarget : FuzzTarget
{
    public override string Name => "probeanswer";

    /// <summary>Beyond the longest head.</summary>
    public override int Longest => ResponseHead.LongestHead + 1024;

    public override IReadOnlyList<byte[]> Fragments { get; } =
    [
        [0x81, 0], [0x81, 126, 1, 0], [0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0], [0x89, 2, 1, 2], [0x8A, 8], [0x88, 2, 3, 0xE8], [0x20, 2, 0, 0], [255, 255, 255, 255],
        .. Texts.Of(
            "\r\n", "\n", "\r", ":", ",", " ", "HTTP/1.1 ", "HTTP/1.0 ", "100", "101", "200", "Upgrade: websocket\r\n", "Connection: x, upgrade\r\n",
            "Sec-WebSocket-Accept: ", "HTTP/1.1 103 Early Hints\r\n\r\n", "\0"),
    ];

    public override IEnumerable<byte[]> Seeds() =>
    [
        .. Texts.Of(
            "\u0040HTTP/1.1 200 OK\r\nServer: a\r\nContent-Length: 0\r\n\r\n", "\u0003HTTP/1.0 503\nA: b\n\n", "\u00ffHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 \r\n\r\n",
            "\u0010HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
                + "\u0081\u0003abc\u0089\u0000\u008a\u000812345678\u0088\u0002\u0003\u00e8",
            "\u0001\u0020\u0002\u0000\u0000"),
    ];

    public override bool Run(byte[] bytes)
    {
        if (bytes.Length == 0)
        {
            return false;
        }

        ReadOnlySpan<byte> answer = bytes.AsSpan(1);
        CheckBeginnings(answer);
        var stream = new SegmentStream(bytes.AsMemory(1), Math.Max((byte)1, bytes[0]));
        HttpReply reply = TalkAsync(stream).GetAwaiter().GetResult();
        string? refused = new MqttTalk(new SegmentStream(bytes.AsMemory(1), Math.Max((byte)1, bytes[0])), new byte[ConnackPacket.Length])
            .ConnectAsync().AsTask().GetAwaiter().GetResult();
        Finding.Unless(refused is null or { Length: > 0 and < 100 }, "a fault without a text, or with one of the broker's length");
        return reply.Fault is null;
    }

    private static async Task<HttpReply> TalkAsync(SegmentStream stream)
    {
        var buffer = new byte[ResponseHead.LongestHead];
        var talk = new HttpTalk(stream, buffer);
        await talk.SendAsync(ProbeRequest.Upgrade);
        HttpReply reply = await talk.ReceiveAsync();
        Finding.Unless(reply.Fault is null ? reply.Status is 101 or (>= 200 and <= 999) : reply.Fault.Length is > 0 and < 100, $"{reply}");
        Finding.Unless(talk.Rest >= 0 && talk.Rest <= buffer.Length, $"{talk.Rest} bytes after the head");
        if (reply is { Fault: null, Status: 101 })
        {
            // The payload of the ping is random, so that an input does not have its pong.
            string? fault = await new WebSocketTalk(stream, buffer).PingAsync(talk.Rest);
            Finding.Unless(fault is { Length: > 0 and < 100 }, "a pong that answers nothing, or a fault without a text");
        }

        return reply;
    }

    private static void CheckBeginnings(ReadOnlySpan<byte> answer)
    {
        ParseResult whole = ResponseHead.TryParse(answer, out ResponseHead head);
        Finding.Unless(whole != ParseResult.Parsed || (head.Length <= answer.Length && head.Length <= ResponseHead.LongestHead), $"a head of {head.Length} bytes");
        int length = 0;
        ParseResult part;
        while ((part = ResponseHead.TryParse(answer[..length], out ResponseHead early)) == ParseResult.NeedMore && length < answer.Length)
        {
            length = Math.Min(answer.Length, length + 1 + (length / 8));
            Finding.Unless(early.Length == 0, "a head of an answer that is not complete");
        }

        Finding.Unless(part == whole, $"{part} at {length} bytes, {whole} at {answer.Length}");
    }

    /// <summary>Reads come in segments, writes are discarded, all at once.</summary>
    private sealed class SegmentStream(ReadOnlyMemory<byte> bytes, int segment) : Stream
    {
        private int _at;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override int Read(Span<byte> buffer)
        {
            // A parser that asks for nothing would take this for the end.
            Finding.Unless(!buffer.IsEmpty, "a read into an empty buffer");
            ReadOnlySpan<byte> part = bytes.Span[_at..];
            part = part[..Math.Min(part.Length, Math.Min(segment, buffer.Length))];
            part.CopyTo(buffer);
            _at += part.Length;
            return part.Length;
        }

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => new(Read(buffer.Span));

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) => ValueTask.CompletedTask;

        public override void Write(byte[] buffer, int offset, int count)
        {
        }

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();
    }
}
