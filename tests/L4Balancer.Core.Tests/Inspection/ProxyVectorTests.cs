using System.Buffers.Binary;
using System.Text.Json;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Inspection;

namespace L4Balancer.Core.Tests.Inspection;

/// <summary>
/// The headers of proxy-protocol/vectors.jsonl, whichever are there: whole, byte by byte, and with payload in the same segment. Some that
/// are to be accepted carry a CRC32c that is wrong ("4321"); with the specification these are refused, and accepted with the right one.
/// </summary>
internal sealed class ProxyVectorTests
{
    private const string Folder = "proxy-protocol";
    private const int FixedLength = 16;

    internal sealed record Vector(string Name, byte[] Bytes, string Expected, string? Source)
    {
        public bool IsAccepted => Expected is "accept" or "payload-not-tlv";
    }

    [TestCaseSource(nameof(Cases))]
    public void Header_is_accepted_or_rejected_as_its_vector_says(Vector vector)
    {
        byte[] bytes = vector.Bytes;
        InspectionResult result = ProxyHeader.TryParse(bytes, out ProxyHeader header);
        if (vector.Expected == "reject")
        {
            // What is cut off is rejected when the sender ends, or when the time is over.
            Assert.That(result.Outcome, Is.EqualTo(InspectionOutcome.Invalid).Or.EqualTo(InspectionOutcome.NeedMore));
        }
        else if (vector.IsAccepted)
        {
            if (WrongChecksumAt(bytes) is { } at)
            {
                Assert.That(result.Outcome, Is.EqualTo(InspectionOutcome.Invalid));
                bytes = [.. bytes];
                BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(at), Crc32C(Whole(bytes), at));
                result = ProxyHeader.TryParse(bytes, out header);
            }

            Assert.That(result.Outcome, Is.EqualTo(InspectionOutcome.Parsed), result.Reason);
            Assert.That(header.Addresses?.Source.ToString(), Is.EqualTo(Bracketed(vector.Source)));
            CheckPayload(bytes[..header.Length]);
        }

        CheckBeginnings(bytes);
    }

    internal static IEnumerable<TestCaseData> Cases()
    {
        Vector[] vectors = All();
        if (vectors.Length == 0) yield return new TestCaseData(null).SetArgDisplayNames("no data").Ignore(TestData.Missing(Folder));
        foreach (Vector vector in vectors) yield return new TestCaseData(vector).SetArgDisplayNames(vector.Name);
    }

    internal static Vector[] All()
    {
        string? root = TestData.Find(Folder);
        return root is null
            ? []
            : [.. Directory.GetFiles(root, "*.jsonl").Order(StringComparer.Ordinal).SelectMany(File.ReadLines).Select(Read)];
    }

    private static Vector Read(string line)
    {
        using JsonDocument json = JsonDocument.Parse(line);
        JsonElement entry = json.RootElement;
        return new Vector(
            entry.GetProperty("name").GetString()!,
            Convert.FromHexString(entry.GetProperty("hex").GetString()!),
            entry.GetProperty("peer_expect").GetString()!,
            entry.GetProperty("peer_src").GetString());
    }

    // The answer to every beginning is NeedMore until it is the answer to the whole; what is asked for is there.
    private static void CheckBeginnings(byte[] bytes)
    {
        InspectionResult whole = ProxyHeader.TryParse(bytes, out ProxyHeader header);
        int length = header.Length;
        FourTuple? addresses = header.Addresses;
        bool isDecided = false;
        for (int i = 0; i <= bytes.Length; i++)
        {
            InspectionResult part = ProxyHeader.TryParse(bytes.AsSpan(0, i), out header);
            Answer.CheckNeeded(part, i, ProxyHeader.Longest);
            if (part.Outcome == InspectionOutcome.NeedMore)
            {
                Assert.That(isDecided, Is.False, $"undecided again at {i} bytes");
                if (whole.Outcome == InspectionOutcome.Parsed) Assert.That(part.Needed, Is.LessThanOrEqualTo(length));
                continue;
            }

            isDecided = true;
            Assert.That((part.Outcome, header.Length, header.Addresses), Is.EqualTo((whole.Outcome, length, addresses)), $"{i} bytes");
        }
    }

    private static void CheckPayload(byte[] header)
    {
        foreach (byte[] payload in (byte[][])[[.. "GET / HTTP/1.1\r\n"u8], [2, 0, 1, 65], [.. header]])
        {
            InspectionResult result = ProxyHeader.TryParse([.. header, .. payload], out ProxyHeader parsed);
            Assert.That((result.Outcome, parsed.Length), Is.EqualTo((InspectionOutcome.Parsed, header.Length)));
        }
    }

    // "::1:65533" in the vectors is [::1]:65533.
    private static string? Bracketed(string? source)
    {
        int colon = source?.LastIndexOf(':') ?? -1;
        return colon > 0 && source![..colon].Contains(':') ? $"[{source[..colon]}]{source[colon..]}" : source;
    }

    private static byte[] Whole(byte[] bytes) => bytes[..(FixedLength + BinaryPrimitives.ReadUInt16BigEndian(bytes.AsSpan(14)))];

    // Where the CRC32c of an IPv4 or IPv6 header of version 2 is, if it is wrong.
    private static int? WrongChecksumAt(byte[] bytes)
    {
        if (bytes[0] != 0x0D || bytes[12] != 0x21) return null;
        byte[] header = Whole(bytes);
        int at = FixedLength + (bytes[13] == 0x11 ? 12 : bytes[13] == 0x21 ? 36 : header.Length);
        while (at + 3 <= header.Length)
        {
            if (header[at] == 3 && Crc32C(header, at + 3) != BinaryPrimitives.ReadUInt32BigEndian(header.AsSpan(at + 3))) return at + 3;
            at += 3 + BinaryPrimitives.ReadUInt16BigEndian(header.AsSpan(at + 1));
        }

        return null;
    }

    /// <summary>CRC32c bit by bit, as RFC 3720, B.4 describes it: the oracle.</summary>
    internal static uint Crc32C(byte[] header, int zeroed)
    {
        uint crc = uint.MaxValue;
        for (int i = 0; i < header.Length; i++)
        {
            crc ^= i >= zeroed && i < zeroed + 4 ? (byte)0 : header[i];
            for (int bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ ((crc & 1) == 0 ? 0 : 0x82F63B78);
        }

        return ~crc;
    }
}
