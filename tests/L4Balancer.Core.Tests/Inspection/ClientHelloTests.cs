using L4Balancer.Core.Inspection;
using static L4Balancer.Core.Tests.Inspection.HelloBuilder;

namespace L4Balancer.Core.Tests.Inspection;

/// <summary>Names, protocols and malformed hellos, one rule each.</summary>
internal sealed class ClientHelloTests
{
    private const int EncryptedClientHello = 0xFE0D;
    private const int KeyShare = 51;

    [TestCase("Chat.Example.COM", ExpectedResult = "chat.example.com")]
    [TestCase("chat.example.com.", ExpectedResult = "chat.example.com")]
    [TestCase("chat.example.com..", ExpectedResult = "chat.example.com.")]
    [TestCase("b\u00fccher", ExpectedResult = "b\u00fccher")]
    [TestCase("0000", ExpectedResult = "0000")]
    [TestCase("1.2.3", ExpectedResult = "1.2.3")]
    [TestCase("", ExpectedResult = "")]
    [TestCase(".", ExpectedResult = "")]
    [TestCase("a\0.example.com", ExpectedResult = "")]
    [TestCase("192.0.2.1", ExpectedResult = "")]
    [TestCase("192.0.2.1.", ExpectedResult = "")]
    [TestCase("2001:db8::1", ExpectedResult = "")]
    [TestCase("[2001:db8::1]", ExpectedResult = "")]
    public string Name_is_brought_into_its_one_form(string name) => Parsed(Hello(ServerName(name))).Name;

    [Test]
    public void Name_longer_than_a_DNS_name_is_none()
    {
        Assert.That(Parsed(Hello(ServerName(new string('a', 255)))).Name, Has.Length.EqualTo(255));
        Assert.That(Parsed(Hello(ServerName(new string('a', 256)))).Name, Is.Empty);
    }

    [Test]
    public void First_host_name_wins_and_other_types_are_skipped()
    {
        Assert.That(Parsed(Hello(ServerName("first.test", "second.test"))).Name, Is.EqualTo("first.test"));
        Assert.That(Parsed(Hello(ServerName("", "second.test"))).Name, Is.Empty);
        byte[] list = [.. Entry(7, "other"), .. Entry(0, "host.test")];
        Assert.That(Parsed(Hello(Extension(0, Vector16(list)))).Name, Is.EqualTo("host.test"));
    }

    [Test]
    public void Protocols_are_listed_in_the_client_s_order()
    {
        Answer answer = Parsed(Hello(Alpn("h2", "http/1.1"), ServerName("a.test")));

        Assert.That((answer.Name, answer.Alpn), Is.EqualTo(("a.test", "h2,http/1.1")));
    }

    [Test]
    public void Hello_without_extensions_has_no_name()
    {
        byte[] whole = Message();
        byte[] bare = whole[..^2];
        bare[3] -= 2;

        Assert.That(Parsed(Record(bare)), Is.EqualTo(new Answer(InspectionOutcome.Parsed, 0, "", "")));
        Assert.That(Parsed(Record(whole)).Name, Is.Empty);
    }

    [Test]
    public void Unknown_and_reserved_extensions_are_skipped_and_ECH_leaves_the_outer_name()
    {
        byte[] hello = Hello(
            Extension(0x0A0A), Extension(EncryptedClientHello, new byte[300]), ServerName("public.test"), Extension(0xFAFA, 0));

        Assert.That(Parsed(hello).Name, Is.EqualTo("public.test"));
    }

    // X25519MLKEM768 alone has 1216 bytes; here the hello has 6 KB, and the name comes last.
    [Test]
    public void Large_hello_of_several_segments_says_its_length_early()
    {
        byte[] hello = Hello(Extension(KeyShare, new byte[6000]), ServerName("post-quantum.test"));

        Assert.That(Answer.OfHello(hello.AsSpan(0, 1)).Needed, Is.EqualTo(5));
        Assert.That(Answer.OfHello(hello.AsSpan(0, 5)).Needed, Is.EqualTo(9));
        Assert.That(Answer.OfHello(hello.AsSpan(0, 9)).Needed, Is.EqualTo(hello.Length));
        Assert.That(Parsed(hello).Name, Is.EqualTo("post-quantum.test"));
    }

    [Test]
    public void What_follows_the_hello_is_not_waited_for_and_not_read()
    {
        byte[] hello = Hello(ServerName("a.test"));
        byte[] message = Message(ServerName("a.test"));

        Assert.That(Parsed([.. hello, 23, 9, 9]).Name, Is.EqualTo("a.test"), "another record");
        Assert.That(Parsed(Record([.. message, 99, 99])[..hello.Length]).Name, Is.EqualTo("a.test"), "another message of the same record");
    }

    [Test]
    public void Hello_beyond_the_limit_is_recognised_by_its_announced_length()
    {
        byte[] hello = Hello(Extension(KeyShare, new byte[2000]), ServerName("a.test"));

        Assert.That(Answer.OfHello(hello, hello.Length).Outcome, Is.EqualTo(InspectionOutcome.Parsed));
        Assert.That(Answer.OfHello(hello, hello.Length - 1).Outcome, Is.EqualTo(InspectionOutcome.TooLong));
        Assert.That(Answer.OfHello(hello.AsSpan(0, 8), hello.Length - 1).Outcome, Is.EqualTo(InspectionOutcome.NeedMore));
        Assert.That(Answer.OfHello(hello.AsSpan(0, 9), hello.Length - 1).Outcome, Is.EqualTo(InspectionOutcome.TooLong));
        Assert.That(Answer.OfHello([.. hello, 1, 2, 3], hello.Length).Outcome, Is.EqualTo(InspectionOutcome.Parsed));
    }

    [TestCase("47", TestName = "GET is not TLS")]
    [TestCase("53534832", TestName = "SSH is not TLS")]
    [TestCase("802e0100", TestName = "An SSLv2 hello is not TLS")]
    [TestCase("17", TestName = "Application data is not a beginning of TLS")]
    [TestCase("1602", TestName = "Another major version is not TLS")]
    public void Other_protocols_are_recognised_at_the_first_byte_that_does_not_fit(string hex)
    {
        byte[] bytes = Convert.FromHexString(hex);

        Assert.That(Answer.OfHello(bytes).Outcome, Is.EqualTo(InspectionOutcome.OtherProtocol));
        Assert.That(Answer.OfHello([.. bytes, .. new byte[600]]).Outcome, Is.EqualTo(InspectionOutcome.OtherProtocol));
    }

    [TestCase("1603010000", TestName = "A record without bytes")]
    [TestCase("1603014001", TestName = "A record of more than 16384 bytes")]
    [TestCase("160301000402000000", TestName = "A ServerHello")]
    [TestCase("160301000401000000", TestName = "A hello without content")]
    [TestCase("160301000101" + "1503010002", TestName = "An alert in the middle of a hello")]
    [TestCase("160301000101" + "1602", TestName = "A record of another version in the middle of a hello")]
    public void Malformed_records_are_invalid(string hex) =>
        Assert.That(Answer.OfHello(Convert.FromHexString(hex)).Outcome, Is.EqualTo(InspectionOutcome.Invalid));

    [Test]
    public void Malformed_extensions_are_invalid()
    {
        byte[][] malformed =
        [
            Hello([.. Extension(5, 1, 2), 0]),
            Hello([0, 5, 0, 9, 1]),
            Hello(Extension(0)),
            Hello(Extension(0, 0, 0)),
            Hello(Extension(0, [.. Vector16(Entry(0, "a.test")), 0])),
            Hello(Extension(0, Vector16([0, 0, 9, 65]))),
            Hello(ServerName("a.test"), ServerName("b.test")),
            Hello(ServerName("192.0.2.1"), ServerName("b.test")),
            Hello(Alpn()),
            Hello(Alpn("h2", "")),
            Hello(Alpn("h2"), Alpn("h2")),
            Hello(Extension(16, 0, 3, 5, 104, 50)),
        ];
        foreach (byte[] hello in malformed)
        {
            Answer expected = new(InspectionOutcome.Invalid, 0, "", "");
            Assert.That(Answer.OfHello(hello), Is.EqualTo(expected), Convert.ToHexString(hello[45..]));
        }
    }

    [Test]
    public void Scratch_that_is_too_short_is_a_fault_of_the_caller() => Assert.That(
        () => ClientHello.TryParse(new byte[10], 100, new byte[ClientHello.ScratchLength(10) - 1], out _),
        Throws.InstanceOf<ArgumentOutOfRangeException>());

    private static Answer Parsed(byte[] bytes)
    {
        Answer answer = Answer.OfHello(bytes);
        Assert.That(answer.Outcome, Is.EqualTo(InspectionOutcome.Parsed));
        return answer;
    }
}
