using L4Balancer.Core.Dns;
using static L4Balancer.Core.Tests.Dns.DnsScene;

namespace L4Balancer.Core.Tests.Dns;

/// <summary>The answer to one message, byte for byte and as a reader of RFC 1035 sees it.</summary>
internal sealed class DnsAnswersTests
{
    private const string SoaRecord = "lb.example.com. 5 SOA ns.lb.example.com. hostmaster.lb.example.com. 20261128 3600 600 86400 5";

    private static readonly DnsZone Sample = Zone(
        ("chat",
        [
            Backend("ws1", "wss://203.0.113.1:8443/chat"), Backend("ws2", "ws://WS2.example.net/", weight: 50),
            Backend("ws3", "wss://[2001:db8::3]/", backup: true), Backend("private", ""),
        ]),
        ("rooms", [Backend("r1", "")]));

    private static IEnumerable<TestCaseData> Golden() =>
    [
        // Names: 2 lb, 7 example, 3 com. The owner is a pointer to byte 12.
        new TestCaseData(
            Question("lb.example.com", A, payload: 0),
            "12348500" + "0001000100000000" + "026C62076578616D706C6503636F6D00" + "00010001" + "C00C00010001" + "00000005" + "0004" + "C000020A"),
        new TestCaseData(
            Question("lb.example.com", Ns),
            "12348500" + "0001000100000003" + "026C62076578616D706C6503636F6D00" + "00020001"
            + "C00C00020001" + "00000E10" + "0005" + "026E73C00C"
            + "C02C00010001" + "00000005" + "0004" + "C000020A"
            + "C02C001C0001" + "00000005" + "0010" + "20010DB8000000000000000000000010"
            + "00002904D0000000000000"),
        new TestCaseData(
            Question("x.LB.example.com", A, payload: 0),
            "12348503" + "0001000000010000" + "0178024C42076578616D706C6503636F6D00" + "00010001"
            + "C00E00060001" + "00000005" + "0026" + "026E73C00E" + "0A686F73746D6173746572C00E" + "01352908" + "00000E10" + "00000258" + "00015180" + "00000005"),
        new TestCaseData(
            Question("lb.example.com", Any, payload: 0),
            "12348500" + "0001000100000000" + "026C62076578616D706C6503636F6D00" + "00FF0001" + "C00C000D0001" + "00000E10" + "0009" + "0752464338343832" + "00"),
        new TestCaseData(Question("example.org", A, payload: 0), "12348105" + "0001000000000000" + "076578616D706C65036F726700" + "00010001"),
        new TestCaseData(
            Question("lb.example.com", A, version: 1),
            "12348100" + "0001000000000001" + "026C62076578616D706C6503636F6D00" + "00010001" + "00002904D0010000000000"),
    ];

    [TestCaseSource(nameof(Golden))]
    public void Response_is_byte_for_byte(byte[] question, string expected) =>
        Assert.That(Convert.ToHexString(Bytes(Sample, question, overTcp: false, draw: 1, out _)), Is.EqualTo(expected));

    [Test]
    public void Each_kind_of_record_is_answered()
    {
        DnsReply services = Ask(Sample, "chat.lb.example.com", Srv);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(services.Answers, Is.EqualTo(new[]
            {
                "chat.lb.example.com. 5 SRV 0 100 8443 ws1.chat.lb.example.com.", "chat.lb.example.com. 5 SRV 0 50 80 ws2.example.net.",
                "chat.lb.example.com. 5 SRV 1 100 443 ws3.chat.lb.example.com.",
            }));
            Assert.That(services.Additional, Is.EqualTo(new[]
            {
                "ws1.chat.lb.example.com. 5 A 203.0.113.1", "ws3.chat.lb.example.com. 5 AAAA 2001:db8::3", "EDNS 0",
            }));
            Assert.That(Ask(Sample, "_wss._tcp.chat.lb.example.com", Srv).Data, Is.EqualTo(new[]
            {
                "0 100 8443 ws1.chat.lb.example.com.", "1 100 443 ws3.chat.lb.example.com.",
            }));
            Assert.That(Ask(Sample, "_ws._tcp.chat.lb.example.com", Srv).Data, Is.EqualTo(new[] { "0 50 80 ws2.example.net." }));
            Assert.That(Ask(Sample, "chat.lb.example.com", A).Data, Is.EqualTo(new[] { "203.0.113.1" }));
            Assert.That(Ask(Sample, "chat.lb.example.com", Aaaa).Answers, Is.Empty, "backups only where no other lives");
            Assert.That(Ask(Sample, "ws3.chat.lb.example.com", Aaaa).Data, Is.EqualTo(new[] { "2001:db8::3" }));
            Assert.That(Ask(Sample, "lb.example.com", Soa).Answers, Is.EqualTo(new[] { SoaRecord }));
            Assert.That(Ask(Sample, "lb.example.com", Aaaa).Data, Is.EqualTo(new[] { "2001:db8::10" }));
            Assert.That(Ask(Sample, "ns.lb.example.com", A).Data, Is.EqualTo(new[] { "192.0.2.10" }));
        }
    }

    [TestCase("nobody.lb.example.com", A, 3)]
    [TestCase("rooms.lb.example.com", A, 3, Description = "a pool without a public address")]
    [TestCase("a.ws1.chat.lb.example.com", A, 3)]
    [TestCase("ws2.chat.lb.example.com", A, 3, Description = "a backend with a host name of its own")]
    [TestCase("_http._tcp.chat.lb.example.com", Srv, 3)]
    [TestCase("_tcp.chat.lb.example.com", Srv, 0, Description = "RFC 8020: longer names exist")]
    [TestCase("ws1.chat.lb.example.com", Aaaa, 0)]
    [TestCase("chat.lb.example.com", Soa, 0, Description = "only the zone has it")]
    [TestCase("chat.lb.example.com", (ushort)65, 0, Description = "HTTPS, which browsers ask for")]
    [TestCase("lb.example.com", (ushort)43, 0, Description = "DS")]
    public void Negative_answer_has_the_right_code_and_the_SOA(string name, ushort type, int code)
    {
        DnsReply reply = Ask(Sample, name, type);
        Assert.That((reply.Code, reply.IsAuthoritative, reply.Answers.Length), Is.EqualTo((code, true, 0)));
        Assert.That(reply.Authorities, Is.EqualTo(new[] { SoaRecord }));
    }

    [Test]
    public void Case_of_the_question_is_kept_and_ignored() =>
        Assert.That(Ask(Sample, "WS1.cHaT.lB.eXample.COM", A).Answers, Is.EqualTo(new[] { "WS1.cHaT.lB.eXample.COM. 5 A 203.0.113.1" }));

    [TestCase("example.com", A, 1, 5)]
    [TestCase("", A, 1, 5)]
    [TestCase("xlb.example.com", A, 1, 5)]
    [TestCase("lb.example.com", A, 3, 5, Description = "CHAOS")]
    [TestCase("lb.example.com", (ushort)252, 1, 5, Description = "AXFR")]
    [TestCase("lb.example.com", (ushort)251, 1, 5, Description = "IXFR")]
    [TestCase("lb.example.com", (ushort)250, 1, 5, Description = "TSIG")]
    [TestCase("lb.example.com", (ushort)41, 1, 1, Description = "OPT")]
    public void What_is_not_served_is_refused(string name, ushort type, int @class, int code)
    {
        DnsReply reply = Ask(Sample, Question(name, type, @class: (ushort)@class));
        Assert.That((reply.Code, reply.IsAuthoritative, reply.Answers.Length, reply.Authorities.Length), Is.EqualTo((code, false, 0, 0)));
    }

    [Test]
    public void A_label_that_ends_like_the_zone_is_not_in_it()
    {
        // One label of the bytes "x", 2, "lb", 7, "example", 3, "com".
        byte[] question = [0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 16, .. "x\u0002lb\u0007example\u0003com"u8, 0, 0, 1, 0, 1];
        Assert.That(Ask(Sample, question).Code, Is.EqualTo(5));
    }

    [TestCase("1234", null, Description = "no header")]
    [TestCase("123481000001000000000000" + "0000010001", null, Description = "a response")]
    [TestCase("123400000000000000000000", 1, Description = "no question")]
    [TestCase("123400000002000000000000" + "0000010001" + "0000010001", 1, Description = "two questions")]
    [TestCase("123400000001000000000000" + "000001", 1, Description = "cut")]
    [TestCase("123400000001000000000000" + "C00C00010001", 1, Description = "a pointer to itself")]
    [TestCase("123400000001000000000000" + "4000010001", 1, Description = "a label of another kind")]
    [TestCase("123400000001000000000000" + "0000010001" + "00", 1, Description = "a byte too many")]
    [TestCase("123400000001000100000000" + "0000010001" + "000001000100000000" + "0000", 1, Description = "an answer")]
    [TestCase("123400000001000000000002" + "0000010001" + "00002904D0000000000000" + "00002904D0000000000000", 1, Description = "EDNS twice")]
    [TestCase("123400000001000000000001" + "0000010001" + "0161" + "00002904D0000000000000", 1, Description = "EDNS with a name")]
    [TestCase("123400000001000000000001" + "0000010001" + "00002904D0000000000003" + "000300", 1, Description = "an option that is cut")]
    [TestCase("123428000001000000000000" + "0000060001", 4, Description = "UPDATE")]
    [TestCase("123420000001000000000000" + "0000060001", 4, Description = "NOTIFY")]
    public void What_is_no_question_gets_a_code_or_nothing(string message, int? code)
    {
        byte[] response = Bytes(Sample, Convert.FromHexString(message), overTcp: false, draw: 1, out DnsResult result);
        Assert.That(result, Is.EqualTo(code is null ? DnsResult.Ignored : DnsResult.Invalid));
        Assert.That(response.Length > 0 ? DnsReply.Read(response).Code : (int?)null, Is.EqualTo(code));
    }

    [Test]
    public void Options_of_EDNS_are_read_over_and_DO_is_repeated()
    {
        byte[] question = Question("lb.example.com", A);
        byte[] withCookie = [.. question[..^4], 0x80, 0, 0, 12, 0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8];
        byte[] response = Bytes(Sample, withCookie, overTcp: false, draw: 1, out DnsResult result);
        Assert.That(result, Is.EqualTo(DnsResult.Success));
        Assert.That(Convert.ToHexString(response[^11..]), Is.EqualTo("00002904D0000080000000"));
    }

    [Test]
    public void Longest_name_is_answered_within_512_bytes()
    {
        string label = new('a', 63);
        string name = $"{label}.{label}.{label}.{new string('b', 46)}.lb.example.com";
        DnsReply reply = Ask(Sample, name, A, payload: 0);
        Assert.That((reply.Code, reply.Question), Is.EqualTo((3, $"{name}. 1 1")));
        string longer = name.Replace(".bb", ".bbb", StringComparison.Ordinal);
        Assert.That(Bytes(Sample, Question(longer, A, payload: 0), overTcp: false, 1, out _)[3] & 0xF, Is.EqualTo(1), "longer than 255 octets");
    }

    [Test]
    public void Over_UDP_many_services_are_a_choice_and_all_come_over_TCP()
    {
        DnsZone zone = Zone(("chat", [.. Enumerable.Range(0, 300).Select(i => Backend($"ws{i}", $"wss://203.0.113.{i % 250}:{1000 + i}/"))]));
        DnsReply udp = Ask(zone, "chat.lb.example.com", Srv);
        DnsReply tcp = Ask(zone, "chat.lb.example.com", Srv, overTcp: true);
        Assert.That((udp.Answers.Length, udp.IsTruncated, udp.Length <= 1232), Is.EqualTo((8, true, true)));
        Assert.That((tcp.Answers.Distinct().Count(), tcp.IsTruncated), Is.EqualTo((300, false)));
        Assert.That(udp.Answers, Is.SubsetOf(tcp.Answers));
        Assert.That(Ask(zone, "chat.lb.example.com", Srv, draw: 2).Answers, Is.Not.EqualTo(udp.Answers));
    }

    [TestCase(0, 512)]
    [TestCase(100, 512)]
    [TestCase(600, 600)]
    [TestCase(4096, 1232)]
    public void Response_fits_what_the_client_takes(int payload, int most)
    {
        string label = new('t', 60);
        DnsZone zone = Zone(("chat", [.. Enumerable.Range(0, 8).Select(i => Backend($"ws{i}", $"wss://{label}{i}.{label}.{label}.example.net/"))]));
        DnsReply reply = Ask(zone, "chat.lb.example.com", Srv, payload: payload);
        Assert.That(reply.Length, Is.InRange(most - 240, most));
        Assert.That(reply.IsTruncated, Is.True);
        Assert.That(Ask(zone, "chat.lb.example.com", Srv, overTcp: true).Answers, Has.Length.EqualTo(8));
    }

    [Test]
    public void Above_its_rate_a_client_gets_an_empty_truncated_response_no_larger_than_its_question()
    {
        byte[] question = Question("chat.lb.example.com", Srv);
        var response = new byte[512];
        int length = DnsAnswers.Truncate(question, response);
        DnsReply reply = DnsReply.Read(response[..length]);
        Assert.That((reply.IsTruncated, reply.Code, reply.Answers.Length, length), Is.EqualTo((true, 0, 0, question.Length)));
        Assert.That(DnsAnswers.Truncate(response.AsSpan(0, length), response), Is.Zero, "not to a response");
    }

    [Test]
    public void Answering_allocates_nothing()
    {
        byte[] question = Question("chat.lb.example.com", Srv);
        byte[] unknown = Question("nobody.lb.example.com", A);
        var response = new byte[DnsAnswers.LargestUdp];
        Answer(100);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Answer(1000);
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);

        void Answer(int times)
        {
            for (int i = 0; i < times; i++)
            {
                DnsAnswers.Answer(Sample, question, overTcp: false, (ulong)i, response, out _);
                DnsAnswers.Answer(Sample, unknown, overTcp: false, (ulong)i, response, out _);
            }
        }
    }
}
