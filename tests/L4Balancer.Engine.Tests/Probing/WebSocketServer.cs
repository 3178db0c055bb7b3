using System.Security.Cryptography;
using System.Text;

namespace L4Balancer.Engine.Tests.Probing;

/// <summary>The server's side of a WebSocket, bare enough to do it wrong.</summary>
internal static class WebSocketServer
{
    /// <summary>Opens it as it should be, and goes on with what a test says.</summary>
    public static Func<Stream, Task> Then(Func<Stream, byte[], Task> talk) => async stream =>
    {
        string head = await TalkingBackend.ReadHeadAsync(stream);
        await WriteAsync(stream, Accepting(head));
        (byte opcode, byte[] payload) = await ReadFrameAsync(stream);
        Assert.That(opcode, Is.EqualTo(9), "The client's first frame is a ping.");
        await talk(stream, payload);
    };

    /// <summary>Answers the ping, waits for the client's close, answers it, and closes first, as it should be.</summary>
    public static Func<Stream, Task> Proper(params byte[] beforeThePong) => Then(async (stream, payload) =>
    {
        await stream.WriteAsync(beforeThePong);
        await stream.WriteAsync(Frame(10, payload));
        (byte opcode, byte[] code) = await ReadFrameAsync(stream);
        Assert.That((opcode, Convert.ToHexString(code)), Is.EqualTo(((byte)8, "03E8")));
        await stream.WriteAsync(Frame(8, code));
    });

    public static string Accepting(string head)
    {
        string key = head.Split("Sec-WebSocket-Key: ")[1].Split("\r\n")[0];

#pragma warning disable CA5350 // RFC 6455 names this hash.
        string accept = Convert.ToBase64String(SHA1.HashData(Encoding.ASCII.GetBytes(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")));
#pragma warning restore CA5350
        return $"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n";
    }

    public static ValueTask WriteAsync(Stream stream, string text) => stream.WriteAsync(Encoding.Latin1.GetBytes(text));

    public static byte[] Frame(byte opcode, byte[] payload) => payload.Length < 126
        ? [(byte)(0x80 | opcode), (byte)payload.Length, .. payload]
        : [(byte)(0x80 | opcode), 127, .. new byte[4], (byte)(payload.Length >> 24), (byte)(payload.Length >> 16), (byte)(payload.Length >> 8),
            (byte)payload.Length, .. payload];

    /// <summary>A short frame of a client, without its mask.</summary>
    public static async Task<(byte Opcode, byte[] Payload)> ReadFrameAsync(Stream stream)
    {
        var head = new byte[6];
        await stream.ReadExactlyAsync(head);
        Assert.That(head[1] & 0x80, Is.EqualTo(0x80), "A client's frames are masked.");
        var payload = new byte[head[1] & 0x7F];
        await stream.ReadExactlyAsync(payload);
        return ((byte)(head[0] & 0x0F), [.. payload.Select((b, i) => (byte)(b ^ head[2 + (i % 4)]))]);
    }
}
