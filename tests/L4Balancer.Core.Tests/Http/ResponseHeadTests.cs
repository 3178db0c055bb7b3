using System.Text;
using L4Balancer.Core.Http;

namespace L4Balancer.Core.Tests.Http;

/// <summary>What counts as the head of an HTTP response, whole and in pieces.</summary>
internal sealed class ResponseHeadTests
{
    private const string Upgrade =
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: keep-alive,\tUpgrade \r\nSec-WebSocket-Accept:s3pPLMBi=\r\n\r\n";

    [TestCase("HTTP/1.1 200 OK\r\n\r\n", ExpectedResult = 200)]
    [TestCase("HTTP/1.0 503 Service Unavailable\r\nContent-Length: 3\r\n\r\nabc", ExpectedResult = 503)]
    [TestCase("HTTP/1.1 404\r\n\r\n", ExpectedResult = 404)]
    [TestCase("HTTP/1.1 204 \nServer: a\n\n", ExpectedResult = 204)]
    public int The_status_is_read(string text)
    {
        Assert.That(Parse(text, out ResponseHead head), Is.EqualTo(ParseResult.Parsed));
        Assert.That(text[..head.Length], Does.EndWith("\n").And.Not.Contain("abc"));
        return head.Status;
    }

    [Test]
    public void Every_beginning_of_a_head_needs_more()
    {
        for (int i = 0; i < Upgrade.Length; i++)
        {
            Assert.That(Parse(Upgrade[..i], out _), Is.EqualTo(ParseResult.NeedMore), $"{i} bytes");
        }

        Assert.That(Parse(Upgrade + "\x89", out ResponseHead head), Is.EqualTo(ParseResult.Parsed));
        Assert.That(head.Length, Is.EqualTo(Upgrade.Length));
    }

    [TestCase("SSH-2.0")]
    [TestCase("S")]
    [TestCase("HTTP/2")]
    [TestCase("HTTP/1.1 2x")]
    [TestCase("HTTP/1.1 099 Low\r\n")]
    [TestCase("HTTP/1.1 2000")]
    [TestCase("HTTP/1.1 20\r\n")]
    [TestCase("HTTP/1.1 200 OK\r\nno colon\r\n")]
    [TestCase("HTTP/1.1 200 OK\r\nA : b\r\n")]
    [TestCase("HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n")]
    [TestCase("HTTP/1.1 200 OK\r\n: b\r\n")]
    [TestCase("HTTP/1.1 200 OK\r\nA: b\0\r\n")]
    public void What_cannot_become_a_head_is_told_at_once(string text) =>
        Assert.That(Parse(text, out _), Is.EqualTo(ParseResult.Invalid));

    [Test]
    public void A_head_that_does_not_end_is_refused_at_the_bound()
    {
        string endless = "HTTP/1.1 200 OK\r\nA: " + new string('a', ResponseHead.LongestHead);
        Assert.That(Parse(endless[..(ResponseHead.LongestHead - 1)], out _), Is.EqualTo(ParseResult.NeedMore));
        Assert.That(Parse(endless[..ResponseHead.LongestHead], out _), Is.EqualTo(ParseResult.Invalid));
        Assert.That(Parse(endless + "\r\n\r\n", out _), Is.EqualTo(ParseResult.Invalid));
    }

    [Test]
    public void Fields_are_found_by_name_and_word_without_regard_to_case()
    {
        Parse(Upgrade, out ResponseHead head);

        using (Assert.EnterMultipleScope())
        {
            Assert.That(head.Says("upgrade", "websocket"), Is.True);
            Assert.That(head.Says("Connection", "upgrade"), Is.True);
            Assert.That(head.Says("Connection", "close"), Is.False);
            Assert.That(head.Says("Connect", "upgrade"), Is.False);
            Assert.That(head.Is("sec-websocket-accept", "s3pPLMBi="u8), Is.True);
            Assert.That(head.Is("sec-websocket-accept", "S3PPLMBI="u8), Is.False);
        }
    }

    [Test]
    public void A_field_that_must_be_alone_is_not_found_twice()
    {
        Parse("HTTP/1.1 101 Hi\r\nA: x\r\nA: x\r\n\r\n", out ResponseHead head);

        Assert.That(head.Is("A", "x"u8), Is.False);
        Assert.That(head.Says("A", "x"), Is.True);
    }

    [Test]
    public void Noise_is_parsed_without_an_exception()
    {
        Random random = new(41);
        byte[] head = Encoding.Latin1.GetBytes(Upgrade);
        for (int i = 0; i < 20_000; i++)
        {
            byte[] broken = [.. head];
            for (int j = 0; j < 3; j++)
            {
                broken[random.Next(broken.Length)] = (byte)random.Next(256);
            }

            if (ResponseHead.TryParse(broken, out ResponseHead parsed) == ParseResult.Parsed)
            {
                Assert.That(parsed.Status, Is.InRange(100, 999));
                Assert.That(parsed.Length, Is.LessThanOrEqualTo(broken.Length));
                _ = parsed.Says("Connection", "upgrade");
            }
        }
    }

    private static ParseResult Parse(string text, out ResponseHead head) => ResponseHead.TryParse(Encoding.Latin1.GetBytes(text), out head);
}
