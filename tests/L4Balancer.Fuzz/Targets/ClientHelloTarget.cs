using System.Buffers.Binary;
using System.Text;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Inspection;

namespace L4Balancer.Fuzz.Targets;

/// <summary>ClientHellos: whole, arriving in parts, in other records; and the hash key of what was read.</summary>
internal sealed class ClientHelloTarget : FuzzTarget
{
    private const int Limit = 16 * 1024;
    private const int Record = 61;

    private static readonly HashKey Key = Keys.Of(TupleFields.SourceNet, "sni");

    public override string Name => "clienthello";

    public override IReadOnlyList<byte[]> Fragments { get; } =
    [
        [0], [1], [0, 0], [0, 16], [255, 255], [22, 3, 1], [22, 3, 3, 0, 1], [0x40, 0], [0, 0, 0, 5, 0, 3, 0, 0, 0], [0, 16, 0, 5, 0, 3, 2, 104, 50],
        [.. "a.test"u8], [.. "."u8], [.. "127.0.0.1"u8], [.. "[::1]"u8], [0x4A, 0x4A],
    ];

    public override IEnumerable<byte[]> Seeds() =>
    [
        Hello([.. Extension(0, Vector([0, .. Vector("a.test"u8)])), .. Extension(16, Vector([2, .. "h2"u8, 8, .. "http/1.1"u8]))]),
        Hello([.. Extension(0, Vector([0, .. Vector("A.TEST."u8), 0, .. Vector("b"u8)])), .. Extension(0x4A4A, [])]),
        Hello([]),
        .. SampleFiles.Hellos(2000),
    ];

    public override bool Run(byte[] bytes)
    {
        InspectionResult result = Arrival.Check(bytes, Limit, Parse);
        if (result.Outcome == InspectionOutcome.Parsed)
        {
            CheckKey(bytes);
            if (Reframe(bytes) is { Length: <= Limit } other)
            {
                Arrived again = Parse(other);
                Finding.Unless(again == Parse(bytes), $"{Parse(bytes)} becomes {again} in records of {Record} bytes");
            }
        }

        return result.Outcome == InspectionOutcome.Parsed;
    }

    private static Arrived Parse(ReadOnlySpan<byte> received)
    {
        var scratch = new byte[ClientHello.ScratchLength(Math.Min(received.Length, Limit))];
        InspectionResult result = ClientHello.TryParse(received, Limit, scratch, out ClientHello hello);
        if (result.Outcome != InspectionOutcome.Parsed)
        {
            return new Arrived(result, "");
        }

        ReadOnlySpan<byte> name = hello.ServerName;
        Finding.Unless(name.Length <= ServerNames.Longest && !name.Contains((byte)0), "a name that is none");
        Finding.Unless(name.IndexOfAnyInRange((byte)'A', (byte)'Z') < 0, "a name in upper case");
        var said = new StringBuilder(Encoding.Latin1.GetString(name));
        foreach (ReadOnlySpan<byte> protocol in hello.Alpn)
        {
            Finding.Unless(hello.Alpn.Contains(protocol), "a protocol that the list does not contain");
            said.Append(' ').Append(Encoding.Latin1.GetString(protocol));
        }

        return new Arrived(result, said.ToString());
    }

    private static void CheckKey(byte[] bytes)
    {
        ClientHello.TryParse(bytes, Limit, new byte[ClientHello.ScratchLength(Math.Min(bytes.Length, Limit))], out ClientHello hello);
        var inspected = new Inspected(hello);
        var key = new byte[Key.BufferLength(inspected.LongestValue)];
        Key.Write(Keys.Client, inspected, key, out bool isMissing);
        Finding.Unless(isMissing == hello.ServerName.IsEmpty, "the key is missing, but not the name; or the name, but not the key");
    }

    /// <summary>The same message in other records; null if the bytes are no sequence of whole records.</summary>
    private static byte[]? Reframe(byte[] bytes)
    {
        List<byte> payload = [];
        for (int at = 0; at < bytes.Length;)
        {
            int length = bytes.Length < at + 5 ? 0 : BinaryPrimitives.ReadUInt16BigEndian(bytes.AsSpan(at + 3));
            if (length == 0 || bytes.Length < at + 5 + length || bytes[at] != 22 || bytes[at + 1] != 3)
            {
                return null;
            }

            payload.AddRange(bytes.AsSpan(at + 5, length));
            at += 5 + length;
        }

        return [.. payload.Chunk(Record).SelectMany(part => (byte[])[22, 3, 1, .. Vector(part)])];
    }

    private static byte[] Hello(byte[] extensions)
    {
        byte[] body = [3, 3, .. new byte[32], 0, .. Vector([0x13, 1]), 1, 0, .. extensions.Length == 0 ? [] : Vector(extensions)];
        return [22, 3, 1, .. Vector([1, 0, .. Vector(body)])];
    }

    private static byte[] Extension(int type, ReadOnlySpan<byte> data) => [(byte)(type >> 8), (byte)type, .. Vector(data)];

    private static byte[] Vector(ReadOnlySpan<byte> bytes) => [(byte)(bytes.Length >> 8), (byte)bytes.Length, .. bytes];
}
