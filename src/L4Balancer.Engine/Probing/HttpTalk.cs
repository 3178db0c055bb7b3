using System.Buffers.Text;
using System.Security.Cryptography;
using L4Balancer.Core.Http;

namespace L4Balancer.Engine.Probing;

/// <summary>Sends one request and reads the head of its answer.</summary>
/// <param name="buffer">Used for both; afterwards the bytes that follow the head are at its beginning.</param>
internal sealed class HttpTalk(Stream stream, byte[] buffer)
{
    /// <summary>100 Continue, 103 Early Hints: a client must accept them (RFC 9110, 15.2), but not an unlimited number.</summary>
    private const int MostInterim = 8;

    private const int NonceLength = 16;
    private const int KeyLength = 24;
    private const int Switching = 101;

    private readonly byte[] _accept = new byte[28];

    /// <summary>Number of bytes after the head, at the buffer's beginning.</summary>
    public int Rest { get; private set; }

    public ValueTask SendAsync(Exchange exchange)
    {
        Span<byte> nonce = stackalloc byte[NonceLength];
        RandomNumberGenerator.Fill(nonce);
        Accept(nonce, _accept);
        int length = exchange.WriteRequest(buffer, nonce);
        return stream.WriteAsync(buffer.AsMemory(0, length));
    }

    public async ValueTask<HttpReply> ReceiveAsync()
    {
        int filled = 0;
        int interim = 0;
        while (true)
        {
            switch (Read(buffer.AsSpan(0, filled), out HttpReply reply, out int length))
            {
                case ParseResult.Parsed:
                    Rest = filled - length;
                    buffer.AsSpan(length, Rest).CopyTo(buffer);
                    if (reply.Status is >= 200 or Switching)
                    {
                        return reply;
                    }

                    filled = Rest;
                    if (++interim > MostInterim)
                    {
                        return HttpReply.None($"answered {reply.Status} repeatedly without a final response");
                    }

                    continue;
                case ParseResult.Invalid:
                    return HttpReply.None(filled >= ResponseHead.LongestHead
                        ? $"answered with a head of more than {ResponseHead.LongestHead / 1024} KiB" : "answer is not HTTP/1");
            }

            int count = await stream.ReadAsync(buffer.AsMemory(filled, ResponseHead.LongestHead - filled)).ConfigureAwait(false);
            if (count == 0)
            {
                return HttpReply.None(filled == 0 ? "closed without an answer" : "closed before the answer was complete");
            }

            filled += count;
        }
    }

    private ParseResult Read(ReadOnlySpan<byte> bytes, out HttpReply reply, out int length)
    {
        ParseResult result = ResponseHead.TryParse(bytes, out ResponseHead head);
        length = head.Length;
        reply = result != ParseResult.Parsed ? default : new HttpReply(
            null, head.Status, head.Says("Upgrade", "websocket") && head.Says("Connection", "Upgrade"), head.Is("Sec-WebSocket-Accept", _accept));
        return result;
    }

    /// <summary>The value that a server derives from the key (RFC 6455, 4.2.2).</summary>
    private static void Accept(ReadOnlySpan<byte> nonce, Span<byte> accept)
    {
        ReadOnlySpan<byte> guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"u8;
        Span<byte> text = stackalloc byte[KeyLength + guid.Length];
        Base64.EncodeToUtf8(nonce, text, out _, out _);
        guid.CopyTo(text[KeyLength..]);
        Span<byte> hash = stackalloc byte[SHA1.HashSizeInBytes];

        // The RFC requires this hash; it protects no secret, and only distinguishes a WebSocket server from another.
#pragma warning disable CA5350
        SHA1.HashData(text, hash);
#pragma warning restore CA5350
        Base64.EncodeToUtf8(hash, accept, out _, out _);
    }
}
