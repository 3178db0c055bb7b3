using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using L4Balancer.Admin;
using L4Balancer.Configuration;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Balancing;
using L4Balancer.Core.Inspection;
using L4Balancer.Core.Routing;

namespace L4Balancer.Tests.Documents;

/// <summary>The vectors of docs/hashing.md for named fields, from the page through a configuration file to the key.</summary>
internal sealed partial class HashingReferenceTests
{
    private const string Page = "docs/hashing.md";
    private const string Client = "192.0.2.10:40000";
    private const string Destination = "198.51.100.1:443";

    // As the page has them.
    private const string ServerName = "Chat.Example.com.";
    private const string Request = "GET /rooms/a%2D42/chat?room=blue%20room&r=2 HTTP/1.1\r\nX-Room: Lobby\r\nCookie: sid=7f3a\r\n\r\n";

    private static readonly string[][] Vectors = MarkdownTable.Rows(Page, "`hash_key`");

    private static IEnumerable<TestCaseData> Rows => Vectors.Select(row => new TestCaseData([row]).SetName($"{{m}}({row[0].Replace("`", "")})"));

    [Test]
    public void Every_kind_of_named_field_has_a_vector() => Assert.That(
        KindsIn(Vectors), Is.EquivalentTo(KindsIn(MarkdownTable.Rows(Page, "field"))).And.Exactly(5).Items);

    [TestCaseSource(nameof(Rows))]
    public void A_key_and_its_hashes_are_as_the_page_has_them(string[] row)
    {
        string[] fields = MarkdownTable.Words(row[0]);
        string client = OtherClient().Match(row[0]) is { Success: true } other ? $"{other.Groups[1].Value}:40000" : Client;
        RouteKey key = KeyOf(fields, PrefixOf(row[0]), client, Request, out bool isMissing);

        Assert.That(isMissing, Is.EqualTo(row[1] == "the tuple"));
        string words = string.Concat(MarkdownTable.Words(row[1]));
        if (!isMissing)
        {
            Assert.That(
                Convert.ToHexStringLower(key.Bytes), Is.EqualTo(row[1].StartsWith("hex ", StringComparison.Ordinal) ? words : HexOf(words)));
        }

        for (int seed = 0; seed < 2 && row[2 + seed].Length > 0; seed++)
        {
            Assert.That($"`{key.Hash((ulong)seed):X16}`", Is.EqualTo(row[2 + seed]), $"seed {seed}");
        }
    }

    [TestCase("http-query:room", "GET /?room=a&room=b HTTP/1.1\r\n\r\n", "a")]
    [TestCase("http-query:room", "GET /?room=&room=b HTTP/1.1\r\n\r\n", null)]
    [TestCase("http-query:room", "GET /?Room=a&room=b HTTP/1.1\r\n\r\n", "b")]
    [TestCase("http-cookie:sid", "GET / HTTP/1.1\r\nCookie: sid=a; sid=b\r\n\r\n", "a")]
    [TestCase("http-cookie:sid", "GET / HTTP/1.1\r\nCookie: x=1\r\nCookie: sid=a\r\nCookie: sid=b\r\n\r\n", "a")]
    [TestCase("http-cookie:sid", "GET / HTTP/1.1\r\nCookie: sid=; sid=b\r\n\r\n", null)]
    [TestCase("http-header:X-Room", "GET / HTTP/1.1\r\nx-room: a\r\nX-Room: b\r\n\r\n", "a")]
    [TestCase("http-header:X-Room", "GET / HTTP/1.1\r\nX-Room: a, b\r\nX-Room: c\r\n\r\n", "a, b")]
    [TestCase("http-header:X-Room", "GET / HTTP/1.1\r\nX-Room:\r\nX-Room: b\r\n\r\n", null)]
    public void Of_a_value_that_is_given_twice_the_first_is_the_key(string field, string request, string? value)
    {
        RouteKey key = KeyOf([field], "", Client, request, out bool isMissing);

        Assert.That(isMissing, Is.EqualTo(value is null));
        Assert.That(isMissing ? null : Encoding.UTF8.GetString(key.Bytes), Is.EqualTo(value));
    }

    private static RouteKey KeyOf(string[] fields, string prefix, string client, string request, out bool isMissing)
    {
        bool readsTls = fields.Contains("sni");
        string inspect = readsTls ? "tls" : "http";
        var file = ConfigFile.Load(DaemonProcess.ConfigFileWith($$"""
            [[listeners]]
            name = "wss"
            bind = ["{{Destination}}"]
            pool = "chat"
            inspect = "{{inspect}}"
            [[pools]]
            name = "chat"
            hash_key = [{{string.Join(", ", fields.Select(f => $"\"{f}\""))}}]
            {{prefix}}
            backends = [{ name = "ws1", address = "10.0.1.21:8443" }]
            """));
        Assert.That(file.Errors, Is.Empty);
        Listener listener = RoutingSnapshot.Build(new(file.Config!, MaxConnections: 1)).Listeners.Single();
        Inspected inspected;
        if (readsTls)
        {
            Assert.That(new AskedClient(Sni: ServerName).TryRead(listener.Settings, out inspected, out string mistake), mistake);
        }
        else
        {
            InspectionResult result = RequestHead.TryParse(Encoding.ASCII.GetBytes(request), request.Length, out RequestHead head);
            Assert.That(result.Outcome, Is.EqualTo(InspectionOutcome.Parsed));
            inspected = new Inspected(head);
        }

        HashKey key = listener.Pool.Key;
        var tuple = new FourTuple(EndpointOf(client), EndpointOf(Destination));
        return key.Write(tuple, inspected, new byte[key.BufferLength(inspected.LongestValue)], out isMissing);
    }

    private static IEnumerable<string> KindsIn(string[][] rows) => rows.SelectMany(row => MarkdownTable.Words(row[0]))
        .Where(f => f == "sni" || f.StartsWith("http-", StringComparison.Ordinal)).Select(f => f.Split(':')[0]).Distinct();

    // "with v4 = 16": the other prefix keeps its default.
    private static string PrefixOf(string cell) => Prefix().Match(cell) is { Success: true } found
        ? string.Create(CultureInfo.InvariantCulture, $"source_net = {{ {found.Value} }}") : "";

    private static string HexOf(string text) => Convert.ToHexStringLower(Encoding.UTF8.GetBytes(text));

    private static Endpoint EndpointOf(string text) => Endpoint.TryParse(text, out Endpoint endpoint) ? endpoint : throw new FormatException(text);

    [GeneratedRegex(@"client (\[[0-9a-f:]+\])")]
    private static partial Regex OtherClient();

    [GeneratedRegex(@"v[46] = \d+")]
    private static partial Regex Prefix();
}
