using System.Text;
using L4Balancer.Core.Inspection;

namespace L4Balancer.Core.Tests.Inspection;

/// <summary>What counts as the head of a request, and what is read in it.</summary>
internal sealed class RequestHeadTests
{
    private const int Limit = 16 * 1024;

    private const string Upgrade =
        "GET /rooms/42?token=a%20b&room=x HTTP/1.1\r\nHost: Chat.Example.com:8080\r\nUpgrade: websocket\r\nX-Room:\t lobby \r\n"
        + "Cookie: a=1; sid=\"q\"; sid=2\r\ncookie: late=3\r\n\r\n";

    [Test]
    public void Head_is_read()
    {
        RequestHead head = Read(Upgrade + "payload");

        Assert.That(head.Length, Is.EqualTo(Upgrade.Length));
        Assert.That(Text(head.Method), Is.EqualTo("GET"));
        Assert.That(Text(head.Host), Is.EqualTo("Chat.Example.com"));
        Assert.That(Text(head.Path), Is.EqualTo("/rooms/42"));
        Assert.That(Text(head.Query), Is.EqualTo("token=a%20b&room=x"));
    }

    [TestCase("x-room", ExpectedResult = "lobby")]
    [TestCase("UPGRADE", ExpectedResult = "websocket")]
    [TestCase("host", ExpectedResult = "Chat.Example.com:8080")]
    [TestCase("x-roo", ExpectedResult = null)]
    [TestCase("x-rooms", ExpectedResult = null)]
    public string? Header_is_found_by_name(string name) =>
        Read(Upgrade).TryGetHeader(Encoding.Latin1.GetBytes(name), out ReadOnlySpan<byte> value) ? Text(value) : null;

    [TestCase("a", ExpectedResult = "1")]
    [TestCase("sid", ExpectedResult = "\"q\"")]
    [TestCase("late", ExpectedResult = "3")]
    [TestCase("SID", ExpectedResult = null)]
    [TestCase("q", ExpectedResult = null)]
    public string? Cookie_is_found_by_name_and_the_first_wins(string name) =>
        Read(Upgrade).TryGetCookie(Encoding.Latin1.GetBytes(name), out ReadOnlySpan<byte> value) ? Text(value) : null;

    [TestCase("a=1&b=2", "b", ExpectedResult = "2")]
    [TestCase("b=1&b=2", "b", ExpectedResult = "1")]
    [TestCase("r=a%2Fb+c%2", "r", ExpectedResult = "a/b c%2")]
    [TestCase("%72oom=x", "room", ExpectedResult = "x")]
    [TestCase("my+room=x=y", "my room", ExpectedResult = "x=y")]
    [TestCase("room", "room", ExpectedResult = "")]
    [TestCase("room=%2541", "room", ExpectedResult = "%41")]
    [TestCase("rooms=1&roo=2&ROOM=3", "room", ExpectedResult = null)]
    [TestCase("a=1;room=2", "room", ExpectedResult = null)]
    [TestCase("", "room", ExpectedResult = null)]
    public string? Query_value_is_found_by_name_and_decoded_once(string query, string name)
    {
        RequestHead head = Read($"GET /?{query} HTTP/1.1\r\n\r\n");
        byte[] scratch = new byte[head.Query.Length];
        return head.TryGetQuery(Encoding.Latin1.GetBytes(name), scratch, out ReadOnlySpan<byte> value) ? Text(value) : null;
    }

    [Test]
    public void Header_given_twice_has_the_first_value()
    {
        Read("GET / HTTP/1.1\r\nA: 1\r\na: 2\r\n\r\n").TryGetHeader("A"u8, out ReadOnlySpan<byte> value);

        Assert.That(Text(value), Is.EqualTo("1"));
    }

    [TestCase("GET", "/a//b/../c", ExpectedResult = "|/a//b/../c")]
    [TestCase("GET", "//other.test/a", ExpectedResult = "|//other.test/a")]
    [TestCase("GET", "http://a.test:80/p?q", ExpectedResult = "a.test|/p")]
    [TestCase("GET", "http://a.test?q", ExpectedResult = "a.test|/")]
    [TestCase("GET", "HTTP://a.test", ExpectedResult = "a.test|/")]
    [TestCase("GET", "ws://[2001:db8::1]:80/p", ExpectedResult = "[2001:db8::1]|/p")]
    [TestCase("OPTIONS", "*", ExpectedResult = "|")]
    [TestCase("CONNECT", "a.test:443", ExpectedResult = "a.test|")]
    public string Target_has_four_forms(string method, string target)
    {
        RequestHead head = Read($"{method} {target} HTTP/1.1\r\n\r\n");
        return $"{Text(head.Host)}|{Text(head.Path)}";
    }

    [TestCase("a.test", ExpectedResult = "a.test")]
    [TestCase("a.test.", ExpectedResult = "a.test")]
    [TestCase("a.test.:80", ExpectedResult = "a.test")]
    [TestCase("a.test:", ExpectedResult = "a.test")]
    [TestCase("192.0.2.1:80", ExpectedResult = "192.0.2.1")]
    [TestCase("[2001:db8::1]:80", ExpectedResult = "[2001:db8::1]")]
    [TestCase("", ExpectedResult = "")]
    public string Host_is_without_port_and_trailing_dot(string value) => Text(Read($"GET / HTTP/1.1\r\nHost: {value}\r\n\r\n").Host);

    [Test]
    public void Head_without_Host_is_valid_and_a_lone_LF_ends_a_line()
    {
        Assert.That(Text(Read("GET /a HTTP/1.0\n\n").Path), Is.EqualTo("/a"));
        Assert.That(Text(Read("\r\nGET /a HTTP/1.1\nHost: b\r\n\n").Host), Is.EqualTo("b"));
    }

    [TestCase("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", TestName = "Two Hosts, though they are equal")]
    [TestCase("GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n", TestName = "A Host unlike the target")]
    [TestCase("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", TestName = "A Host that is a list")]
    [TestCase("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", TestName = "A Host with a space")]
    [TestCase("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", TestName = "A Host with user information")]
    [TestCase("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", TestName = "A Host with a path")]
    [TestCase("GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", TestName = "A Host with a port that is none")]
    [TestCase("GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", TestName = "A Host with an open bracket")]
    [TestCase("GET / HTTP/1.1\r\nHost: [a]\r\n\r\n", TestName = "A Host with brackets around no address")]
    [TestCase("GET / HTTP/1.1\r\nA: 1\r\n folded\r\n\r\n", TestName = "A folded field")]
    [TestCase("GET / HTTP/1.1\r\n A: 1\r\n\r\n", TestName = "White space before the first field")]
    [TestCase("GET / HTTP/1.1\r\nHost : a\r\n\r\n", TestName = "White space before a colon")]
    [TestCase("GET / HTTP/1.1\r\n: a\r\n\r\n", TestName = "A field without a name")]
    [TestCase("GET / HTTP/1.1\r\nno colon\r\n\r\n", TestName = "A line without a colon")]
    [TestCase("GET / HTTP/1.1\r\nA: \0\r\n\r\n", TestName = "NUL")]
    [TestCase("GET / HTTP/1.1\r\nA: 1\rHost: b\r\n\r\n", TestName = "A lone CR")]
    [TestCase("GET /a#b HTTP/1.1\r\n\r\n", TestName = "A fragment")]
    [TestCase("GET a HTTP/1.1\r\n\r\n", TestName = "A target without a slash")]
    [TestCase("GET http:/// HTTP/1.1\r\n\r\n", TestName = "An absolute target without a host")]
    [TestCase("GET http://u@a/ HTTP/1.1\r\n\r\n", TestName = "A target with user information")]
    [TestCase("CONNECT / HTTP/1.1\r\n\r\n", TestName = "CONNECT to a path")]
    public void What_can_be_read_in_two_ways_is_invalid(string text) =>
        Assert.That(Parse(text, out _).Outcome, Is.EqualTo(InspectionOutcome.Invalid));

    [TestCase("\x16\x03\x01", TestName = "TLS is not HTTP")]
    [TestCase("SSH-2.0-OpenSSH_9.6\r", TestName = "SSH is not HTTP")]
    [TestCase("PRI * HTTP/2.0", TestName = "The preface of HTTP 2 is not HTTP 1")]
    [TestCase("GET /\r", TestName = "HTTP 0.9 is not HTTP 1")]
    [TestCase("GET  ", TestName = "Two spaces")]
    [TestCase("GET /a\t", TestName = "A tab in the target")]
    [TestCase("GET / HTTP/1.x", TestName = "A version without a digit")]
    [TestCase("GET / HTTP/1.1 ", TestName = "A space after the version")]
    [TestCase("GET / h", TestName = "A version in lower case")]
    [TestCase("EHLO mail.test\r", TestName = "SMTP is not HTTP")]
    [TestCase("\r\n\r\n\0", TestName = "A PROXY header is not HTTP")]
    [TestCase(" ", TestName = "A space is not HTTP")]
    [TestCase("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", TestName = "A method of 33 letters is none")]
    public void Other_protocols_are_recognised_at_the_first_byte_that_does_not_fit(string text)
    {
        bool isPreface = text.StartsWith("PRI", StringComparison.Ordinal);
        int decided = isPreface ? "PRI * HTTP/2".Length : text.Length;
        for (int i = 0; i < text.Length; i++)
        {
            InspectionOutcome expected = i < decided ? InspectionOutcome.NeedMore : InspectionOutcome.OtherProtocol;
            if (text[0] is not ('\x16' or '\r')) Assert.That(Parse(text[..i], out _).Outcome, Is.EqualTo(expected), $"{i} bytes");
        }

        Assert.That(Parse(text, out _).Outcome, Is.EqualTo(InspectionOutcome.OtherProtocol));
        Assert.That(Parse(text + "\r\n\r\n", out _).Outcome, Is.EqualTo(InspectionOutcome.OtherProtocol));
    }

    [Test]
    public void Every_beginning_of_a_head_needs_more([Values("", "\r\n", "\n")] string before)
    {
        string head = before + Upgrade;
        for (int i = 0; i < head.Length; i++)
        {
            InspectionResult result = Parse(head[..i], out _);
            Assert.That((result.Outcome, result.Needed), Is.EqualTo((InspectionOutcome.NeedMore, i + 1)), $"{i} bytes");
        }

        Assert.That(Parse(head, out _).Outcome, Is.EqualTo(InspectionOutcome.Parsed));
    }

    [Test]
    public void Head_beyond_the_limit_is_too_long()
    {
        byte[] bytes = Encoding.Latin1.GetBytes(Upgrade);
        Assert.That(RequestHead.TryParse(bytes, bytes.Length, out _).Outcome, Is.EqualTo(InspectionOutcome.Parsed));
        Assert.That(RequestHead.TryParse(bytes, bytes.Length - 1, out _).Outcome, Is.EqualTo(InspectionOutcome.TooLong));
        Assert.That(RequestHead.TryParse(bytes.AsSpan(0, 99), 100, out _).Outcome, Is.EqualTo(InspectionOutcome.NeedMore));
        Assert.That(RequestHead.TryParse(bytes.AsSpan(0, 100), 100, out _).Outcome, Is.EqualTo(InspectionOutcome.TooLong));
        Assert.That(RequestHead.TryParse(bytes.AsSpan(0, 10), 10, out _).Outcome, Is.EqualTo(InspectionOutcome.TooLong));
    }

    [Test]
    public void Parsing_allocates_nothing()
    {
        byte[] bytes = Encoding.Latin1.GetBytes(Upgrade);
        byte[] scratch = new byte[100];
        ReadAll(bytes, scratch);
        long before = GC.GetAllocatedBytesForCurrentThread();

        int found = ReadAll(bytes, scratch);

        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
        Assert.That(found, Is.EqualTo(3));
    }

    private static int ReadAll(byte[] bytes, byte[] scratch)
    {
        RequestHead.TryParse(bytes, Limit, out RequestHead head);
        int found = head.TryGetHeader("x-room"u8, out _) ? 1 : 0;
        found += head.TryGetCookie("late"u8, out _) ? 1 : 0;
        return found + (head.TryGetQuery("token"u8, scratch, out _) ? 1 : 0);
    }

    private static RequestHead Read(string text)
    {
        InspectionResult result = Parse(text, out RequestHead head);
        Assert.That(result.Outcome, Is.EqualTo(InspectionOutcome.Parsed), result.Reason);
        return head;
    }

    private static InspectionResult Parse(string text, out RequestHead head)
    {
        byte[] bytes = Encoding.Latin1.GetBytes(text);
        InspectionResult result = RequestHead.TryParse(bytes, Limit, out head);
        Answer.CheckNeeded(result, bytes.Length, Limit);
        return result;
    }

    private static string Text(ReadOnlySpan<byte> bytes) => Encoding.Latin1.GetString(bytes);
}
