using System.Buffers.Binary;
using System.Text;
using L4Balancer.Core.Inspection;

namespace L4Balancer.Core.Tests.Inspection;

/// <summary>
/// What the parser of ClientHellos answered, as a value that can be compared and outlives the bytes. The span ends where the bytes end, so
/// that reading beyond them throws.
/// </summary>
internal sealed record Answer(InspectionOutcome Outcome, int Needed, string Name, string Alpn)
{
    public const int Limit = 16 * 1024;

    public static Answer OfHello(ReadOnlySpan<byte> bytes, int limit = Limit)
    {
        byte[] scratch = new byte[ClientHello.ScratchLength(Math.Min(bytes.Length, limit))];
        InspectionResult result = ClientHello.TryParse(bytes, limit, scratch, out ClientHello hello);
        List<string> protocols = [];
        foreach (ReadOnlySpan<byte> protocol in hello.Alpn) protocols.Add(Encoding.Latin1.GetString(protocol));
        CheckNeeded(result, bytes.Length, limit);
        return new Answer(result.Outcome, result.Needed, Encoding.Latin1.GetString(hello.ServerName), string.Join(',', protocols));
    }

    /// <summary>
    /// The rule of every parser: it asks for more than it has, and for nothing beyond the limit; what it refuses has a reason.
    /// </summary>
    public static void CheckNeeded(InspectionResult result, int length, int limit)
    {
        if (result.Outcome == InspectionOutcome.NeedMore) Assert.That(result.Needed, Is.GreaterThan(length).And.LessThanOrEqualTo(limit));
        else Assert.That(result.Needed, Is.Zero);
        Assert.That(result.Reason, result.Outcome is InspectionOutcome.Parsed or InspectionOutcome.NeedMore ? Is.Empty : Is.Not.Empty);
    }

    /// <summary>
    /// The same message in records of <paramref name="size"/> bytes; null if the bytes are no sequence of whole TLS records.
    /// </summary>
    public static byte[]? Reframe(byte[] bytes, int size)
    {
        List<byte> payload = [];
        for (int at = 0; at < bytes.Length;)
        {
            if (bytes.Length < at + 5 || bytes[at] != 22 || bytes[at + 1] != 3) return null;
            int length = BinaryPrimitives.ReadUInt16BigEndian(bytes.AsSpan(at + 3));
            if (length is 0 or > 1 << 14 || bytes.Length < at + 5 + length) return null;
            payload.AddRange(bytes.AsSpan(at + 5, length));
            at += 5 + length;
        }

        List<byte> framed = [];
        foreach (byte[] part in payload.Chunk(size))
        {
            framed.AddRange([22, 3, 1, (byte)(part.Length >> 8), (byte)part.Length, .. part]);
        }

        return [.. framed];
    }
}
