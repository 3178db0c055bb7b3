using System.Buffers.Binary;
using System.Text;

namespace L4Balancer.Engine.Tests.Peers;

/// <summary>What a client sends first, and ways to send it in pieces.</summary>
internal static class FirstMessage
{
    private static readonly TimeSpan Between = TimeSpan.FromMilliseconds(1);

    /// <summary>A ClientHello (RFC 8446, 4.1.2) in TLS records of so many bytes each.</summary>
    public static byte[] Hello(string name, string[]? protocols = null, int recordLength = int.MaxValue)
    {
        byte[] extensions = [.. ServerName(name), .. protocols is null ? [] : Alpn(protocols)];
        byte[] body = [3, 3, .. new byte[32], 0, .. Vector16([0x13, 0x01]), 1, 0, .. Vector16(extensions)];
        byte[] message = [1, 0, .. Vector16(body)];
        return [.. message.Chunk(recordLength).SelectMany(c => (byte[])[22, 3, 1, .. Vector16(c)])];
    }

    public static byte[] Request(string path, string host = "chat.example.com") =>
        Encoding.ASCII.GetBytes($"GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\n\r\n");

    /// <summary>Sends the first bytes, and the rest when they have arrived.</summary>
    public static async Task SendSplitAsync(this Peer peer, ReadOnlyMemory<byte> bytes, int at)
    {
        await peer.SendAsync(bytes[..at]);
        await Patience.Until(() => peer.SendQueueIsEmpty, "the first part has arrived");
        await peer.SendAsync(bytes[at..]);
    }

    /// <summary>Sends single bytes, about a millisecond apart: the pace of a slow client, so that the engine sees most of them one by one.</summary>
    public static async Task SendByteByByteAsync(this Peer peer, ReadOnlyMemory<byte> bytes)
    {
        for (int i = 0; i < bytes.Length; i++)
        {
            await peer.SendAsync(bytes.Slice(i, 1));
            await Task.Delay(Between);
        }
    }

    private static byte[] ServerName(string name)
    {
        byte[] entry = [0, .. Vector16(Encoding.ASCII.GetBytes(name))];
        return [0, 0, .. Vector16(Vector16(entry))];
    }

    private static byte[] Alpn(string[] protocols)
    {
        byte[] names = [.. protocols.SelectMany(p => (byte[])[(byte)p.Length, .. Encoding.ASCII.GetBytes(p)])];
        return [0, 16, .. Vector16(Vector16(names))];
    }

    private static byte[] Vector16(byte[] content)
    {
        byte[] vector = [0, 0, .. content];
        BinaryPrimitives.WriteUInt16BigEndian(vector, (ushort)content.Length);
        return vector;
    }
}
