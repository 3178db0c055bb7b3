using System.Buffers.Binary;
using System.Text;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Inspection;

namespace L4Balancer.Core.Tests.Inspection;

/// <summary>What the vectors do not contain, and what the balancer writes itself.</summary>
internal sealed class ProxyHeaderTests
{
    private static readonly FourTuple Client4 = Tuple("192.0.2.1:56324", "198.51.100.1:443");
    private static readonly FourTuple Client6 = Tuple("[2001:db8::1]:56324", "[2001:db8:1::1]:443");
    private static readonly FourTuple Mixed = Tuple("192.0.2.1:1", "[2001:db8::1]:65535");

    [TestCase("PROXY TCP4 1.2.3.4 5.6.7.8 0 65535\r\n", ExpectedResult = "1.2.3.4:0 5.6.7.8:65535")]
    [TestCase("PROXY TCP6 2001:DB8::1 ::1 1 2\r\n", ExpectedResult = "[2001:db8::1]:1 [::1]:2")]
    [TestCase("PROXY TCP6 ::ffff:1.2.3.4 ::ffff:5.6.7.8 1 2\r\n", ExpectedResult = "1.2.3.4:1 5.6.7.8:2")]
    [TestCase("PROXY UNKNOWN\r\n", ExpectedResult = "")]
    [TestCase("PROXY UNKNOWN whatever  this is\r\n", ExpectedResult = "")]
    [TestCase("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n", ExpectedResult = null)]
    [TestCase("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\r\n", ExpectedResult = null)]
    [TestCase("PROXY TCP4 1.2.3.4 5.6.7.8 1 65536\r\n", ExpectedResult = null)]
    [TestCase("PROXY TCP4 1.2.3.4 5.6.7.8 1 2 \r\n", ExpectedResult = null)]
    [TestCase("PROXY TCP4  1.2.3.4 5.6.7.8 1 2\r\n", ExpectedResult = null)]
    [TestCase("PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n", ExpectedResult = null)]
    [TestCase("PROXY tcp4 1.2.3.4 5.6.7.8 1 2\r\n", ExpectedResult = null)]
    [TestCase("PROXY UNKNOWNS\r\n", ExpectedResult = null)]
    [TestCase("proxy UNKNOWN\r\n", ExpectedResult = null)]
    [TestCase("GET / HTTP/1.1\r\n\r\n", ExpectedResult = null)]
    public string? Line_has_exactly_one_form(string text)
    {
        InspectionResult result = ProxyHeader.TryParse(Encoding.Latin1.GetBytes(text), out ProxyHeader header);
        if (result.Outcome == InspectionOutcome.Parsed) Assert.That((header.Version, header.Length), Is.EqualTo((1, text.Length)));
        else Assert.That(result.Outcome, Is.EqualTo(InspectionOutcome.Invalid));
        return result.Outcome != InspectionOutcome.Parsed ? null
            : header.Addresses is { } client ? $"{client.Source} {client.Destination}" : "";
    }

    [Test]
    public void Line_has_at_most_107_bytes()
    {
        string longest = "PROXY UNKNOWN " + new string('x', 91) + "\r\n";
        Assert.That(longest, Has.Length.EqualTo(107));
        Assert.That(Parse(longest).Outcome, Is.EqualTo(InspectionOutcome.Parsed));
        Assert.That(Parse(longest.Replace("\r", "x\r")).Outcome, Is.EqualTo(InspectionOutcome.Invalid));
        Assert.That(Parse(longest[..105]).Outcome, Is.EqualTo(InspectionOutcome.NeedMore));
        Assert.That(Parse(longest[..105] + "x").Outcome, Is.EqualTo(InspectionOutcome.Invalid));
    }

    [TestCase("2000", "0000", ExpectedResult = InspectionOutcome.Parsed, TestName = "LOCAL")]
    [TestCase("2099", "0000", ExpectedResult = InspectionOutcome.Parsed, TestName = "LOCAL ignores the family")]
    [TestCase("2011", "0003FFFFFF", ExpectedResult = InspectionOutcome.Parsed, TestName = "LOCAL ignores its contents")]
    [TestCase("2100", "0003FFFFFF", ExpectedResult = InspectionOutcome.Parsed, TestName = "UNSPEC ignores its contents")]
    [TestCase("2110", "0003FFFFFF", ExpectedResult = InspectionOutcome.Parsed, TestName = "An unspecified protocol ignores its contents")]
    [TestCase("2112", "000CC0000201C633640100010002", ExpectedResult = InspectionOutcome.Parsed, TestName = "A datagram over IPv4")]
    [TestCase("2111", "000BC0000201C6336401000100", ExpectedResult = InspectionOutcome.Invalid,
        TestName = "An IPv4 header of eleven bytes")]
    [TestCase("2121", "000CC0000201C633640100010002", ExpectedResult = InspectionOutcome.Invalid,
        TestName = "An IPv6 header of twelve bytes")]
    [TestCase("2131", "0003FFFFFF", ExpectedResult = InspectionOutcome.Invalid, TestName = "A UNIX header of three bytes")]
    [TestCase("2111", "1001", ExpectedResult = InspectionOutcome.Invalid, TestName = "A header of more than 4096 bytes")]
    [TestCase("2111", "0FF0", ExpectedResult = InspectionOutcome.NeedMore, TestName = "A header of 4096 bytes")]
    [TestCase("2141", "", ExpectedResult = InspectionOutcome.Invalid, TestName = "An unknown family")]
    [TestCase("2113", "", ExpectedResult = InspectionOutcome.Invalid, TestName = "An unknown protocol")]
    [TestCase("2211", "", ExpectedResult = InspectionOutcome.Invalid, TestName = "An unknown command")]
    [TestCase("1111", "", ExpectedResult = InspectionOutcome.Invalid, TestName = "An unknown version")]
    public InspectionOutcome Binary_header_is_checked_field_by_field(string commandAndFamily, string rest)
    {
        byte[] bytes = Convert.FromHexString("0D0A0D0A000D0A515549540A" + commandAndFamily + rest);
        InspectionResult result = ProxyHeader.TryParse(bytes, out ProxyHeader header);
        Answer.CheckNeeded(result, bytes.Length, ProxyHeader.Longest);
        Assert.That(header.Addresses, Is.Null);
        return result.Outcome;
    }

    [TestCase("03000400000000", TestName = "A wrong CRC32c")]
    [TestCase("030003000000", TestName = "A CRC32c of three bytes")]
    [TestCase("03000500000000" + "00", TestName = "A CRC32c of five bytes")]
    [TestCase("0100", TestName = "A TLV without its length")]
    [TestCase("01000241", TestName = "A TLV that is longer than the header")]
    public void Malformed_values_are_invalid(string hex) =>
        Assert.That(ParseV2(Convert.FromHexString(hex)), Is.EqualTo(InspectionOutcome.Invalid));

    [Test]
    public void Unique_id_has_at_most_128_bytes()
    {
        Assert.That(ParseV2([5, 0, 128, .. new byte[128]]), Is.EqualTo(InspectionOutcome.Parsed));
        Assert.That(ParseV2([5, 0, 129, .. new byte[129]]), Is.EqualTo(InspectionOutcome.Invalid));
    }

    [Test]
    public void Checksum_that_is_given_twice_is_invalid()
    {
        byte[] once = new byte[200];
        int length = ProxyHeaderWriter.WriteV2(Client4, default, default, default, once);
        byte[] twice = [.. once[..length], 3, 0, 4, 0, 0, 0, 0];
        twice[15] += 7;
        // The first is right, with the second as it stands.
        BinaryPrimitives.WriteUInt32BigEndian(twice.AsSpan(length - 4), ProxyVectorTests.Crc32C(twice, length - 4));

        InspectionResult result = ProxyHeader.TryParse(twice, out _);
        Assert.That(result.Outcome, Is.EqualTo(InspectionOutcome.Invalid));
        Assert.That(result.Reason, Does.Contain("given twice"));
    }

    [Test]
    public void Every_changed_bit_of_a_written_header_is_noticed()
    {
        byte[] bytes = Written(Client6, "room.test", "h2", "id-1");
        for (int bit = 0; bit < 8 * bytes.Length; bit++)
        {
            // Under another type the checksum is no checksum.
            if (bit / 8 == bytes.Length - 7) continue;
            byte[] broken = [.. bytes];
            broken[bit / 8] ^= (byte)(1 << (bit % 8));
            InspectionResult result = ProxyHeader.TryParse(broken, out ProxyHeader header);

            // A changed command or family is LOCAL or UNSPEC, whose contents are ignored; a greater length waits.
            if (result.Outcome == InspectionOutcome.Parsed) Assert.That(header.Addresses, Is.Null, $"bit {bit}");
        }
    }

    [Test]
    public void Written_header_is_read_again(
        [Values("", "room.test")] string authority, [Values("", "h2")] string alpn, [Values("", "id-1")] string id)
    {
        foreach (FourTuple client in (FourTuple[])[Client4, Client6, Mixed])
        {
            byte[] bytes = Written(client, authority, alpn, id);
            InspectionResult result = ProxyHeader.TryParse(bytes, out ProxyHeader header);

            Assert.That(result.Outcome, Is.EqualTo(InspectionOutcome.Parsed), result.Reason);
            Assert.That((header.Version, header.Length, header.Addresses), Is.EqualTo((2, bytes.Length, (FourTuple?)client)));
            Assert.That(Text(header.Values.Authority), Is.EqualTo(authority));
            Assert.That(Text(header.Values.Alpn), Is.EqualTo(alpn));
            Assert.That(Text(header.Values.UniqueId), Is.EqualTo(id));
            Assert.That(header.Values.Find(3).Length, Is.EqualTo(4), "CRC32c");

            byte[] line = new byte[ProxyHeaderWriter.LongestV1];
            int length = ProxyHeaderWriter.WriteV1(client, line);
            ProxyHeader.TryParse(line.AsSpan(0, length), out header);
            Assert.That((header.Version, header.Length, header.Addresses), Is.EqualTo((1, length, (FourTuple?)client)));
        }
    }

    [Test]
    public void Written_forms_are_those_of_the_specification()
    {
        byte[] target = new byte[ProxyHeaderWriter.LongestV1];
        Assert.That(Line(Client4), Is.EqualTo("PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n"));
        Assert.That(Line(Client6), Is.EqualTo("PROXY TCP6 2001:db8::1 2001:db8:1::1 56324 443\r\n"));
        Assert.That(Line(Mixed), Is.EqualTo("PROXY TCP6 ::ffff:192.0.2.1 2001:db8::1 1 65535\r\n"));
        Assert.That(Text(target.AsSpan(0, ProxyHeaderWriter.WriteUnknownV1(target))), Is.EqualTo("PROXY UNKNOWN\r\n"));
        Assert.That(ProxyHeaderWriter.WriteLocalV2(target), Is.EqualTo(16));
        Assert.That(Convert.ToHexString(target.AsSpan(0, 16)), Is.EqualTo("0D0A0D0A000D0A515549540A20000000"));
        byte[] written = Written(Client4, "a.b", "", "");
        Assert.That(
            Convert.ToHexString(written[..^4]),
            Is.EqualTo("0D0A0D0A000D0A515549540A21110019C0000201C6336401DC0401BB020003612E62030004"));
        Assert.That(
            BinaryPrimitives.ReadUInt32BigEndian(written.AsSpan(written.Length - 4)),
            Is.EqualTo(ProxyVectorTests.Crc32C(written, written.Length - 4)));
    }

    [Test]
    public void Reading_and_writing_allocate_nothing()
    {
        byte[] v2 = Written(Client6, "room.test", "h2", "id-1");
        byte[] target = new byte[200];
        Run(v2, target);
        long before = GC.GetAllocatedBytesForCurrentThread();

        Run(v2, target);

        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
    }

    private static void Run(byte[] v2, byte[] target)
    {
        ProxyHeader.TryParse(v2, out ProxyHeader header);
        ProxyHeaderWriter.WriteV2(Client6, header.Values.Authority, header.Values.Alpn, header.Values.UniqueId, target);
        int length = ProxyHeaderWriter.WriteV1(Client6, target);
        ProxyHeader.TryParse(target.AsSpan(0, length), out _);
    }

    private static string Line(FourTuple client)
    {
        byte[] target = new byte[ProxyHeaderWriter.LongestV1];
        return Text(target.AsSpan(0, ProxyHeaderWriter.WriteV1(client, target)));
    }

    private static byte[] Written(FourTuple client, string authority, string alpn, string id)
    {
        byte[] target = new byte[ProxyHeaderWriter.LongestV2(authority.Length, alpn.Length, id.Length)];
        int length = ProxyHeaderWriter.WriteV2(client, Bytes(authority), Bytes(alpn), Bytes(id), target);
        return target[..length];
    }

    private static InspectionOutcome ParseV2(byte[] values) => ProxyHeader.TryParse(
        [
            .. Convert.FromHexString("0D0A0D0A000D0A515549540A2111"), 0, (byte)(12 + values.Length), .. new byte[12], .. values,
        ],
        out _).Outcome;

    private static InspectionResult Parse(string text) => ProxyHeader.TryParse(Bytes(text), out _);

    private static byte[] Bytes(string text) => Encoding.Latin1.GetBytes(text);

    private static string Text(ReadOnlySpan<byte> bytes) => Encoding.Latin1.GetString(bytes);

    private static FourTuple Tuple(string source, string destination) =>
        Endpoint.TryParse(source, out Endpoint from) && Endpoint.TryParse(destination, out Endpoint to)
            ? new FourTuple(from, to)
            : throw new ArgumentException($"{source} or {destination} is no endpoint");
}
