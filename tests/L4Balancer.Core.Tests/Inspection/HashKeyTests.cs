using System.Text;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Balancing;
using L4Balancer.Core.Inspection;
using L4Balancer.Core.Tests.Balancing;

namespace L4Balancer.Core.Tests.Inspection;

/// <summary>The vectors of docs/hashing.md for named fields, computed by a second implementation (the xxHash library).</summary>
internal sealed class HashKeyTests
{
    private const string V4 = "192.0.2.10:40000";
    private const string V6 = "[2001:db8:1:2::10]:40000";
    private const string Destination = "198.51.100.1:443";

    private const string Request =
        "GET /rooms/a%2D42/chat?room=blue%20room&r=2 HTTP/1.1\r\nHost: chat.example.com\r\nX-Room: Lobby\r\nCookie: sid=7f3a\r\n\r\n";

    private static readonly FourTuple Client = Samples.Tuple(V4, Destination);

    [TestCase(V4, "sni", TupleFields.None, "636861742e6578616d706c652e636f6d", 0x558B88B8EACBBC0FUL, 0xD2E2C5768B874BECUL)]
    [TestCase(V4, "http-path", TupleFields.None, "2f726f6f6d732f612d34322f63686174", 0x4475F4BA398DCCDDUL, 0x369733E7B6C2431DUL)]
    [TestCase(V4, "http-path:1", TupleFields.None, "2f726f6f6d73", 0x248DBC3E5F583044UL, 0xB9FB76BE263E0BDCUL)]
    [TestCase(V4, "http-path:2", TupleFields.None, "2f726f6f6d732f612d3432", 0x8F02B2C2C41CB456UL, 0x34D5FA2A5C9463ECUL)]
    [TestCase(V4, "http-header:X-Room", TupleFields.None, "4c6f626279", 0x31BDB992CF26E12BUL, 0xDE17A6582EF9C4EAUL)]
    [TestCase(V4, "http-cookie:sid", TupleFields.None, "37663361", 0x02B29BB3EF37D3CFUL, 0xF498877CFE4CCD2CUL)]
    [TestCase(V4, "http-query:room", TupleFields.None, "626c756520726f6f6d", 0xA2C7203A878A2518UL, 0x01FF0FD4BF5812E3UL)]
    [TestCase(V4, "", TupleFields.SourceNet, "00000000000000000000ffffc0000200", 0x0B05B865B1847749UL, 0x0C40323581792BE4UL)]
    [TestCase(V6, "", TupleFields.SourceNet, "20010db8000100020000000000000000", 0xC88B5D164C8AD9A4UL, 0xAC6DEB399CAC5926UL)]
    [TestCase(V4, "sni", TupleFields.SourceNet, "00000000000000000000ffffc000020000000010636861742e6578616d706c652e636f6d",
        0xF7477D40BBFF4AB0UL, 0x2437D6DA5AE8D900UL)]
    [TestCase(V4, "http-query:room", TupleFields.SourceIp | TupleFields.DestinationPort,
        "00000000000000000000ffffc000020a01bb00000009626c756520726f6f6d", 0x6CFA100E6B1A66ABUL, 0xAB922857856A8872UL)]
    [TestCase(V4, "http-header:x-room http-path:1", TupleFields.None, "000000062f726f6f6d73000000054c6f626279",
        0x3A48D1F29A8DC920UL, 0xE97BA463B882F2CBUL)]
    public void Key_agrees_with_the_published_vectors(
        string source, string fields, TupleFields tuple, string bytes, ulong seed0, ulong seed1)
    {
        HashKey key = new(tuple, fields.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(Field));
        byte[] buffer = new byte[key.BufferLength(Request.Length)];
        RouteKey written = Write(key, Samples.Tuple(source, Destination), Request, buffer, out bool isMissing);

        Assert.That(isMissing, Is.False);
        Assert.That(Convert.ToHexStringLower(written.Bytes), Is.EqualTo(bytes));
        Assert.That((written.Hash(0), written.Hash(1)), Is.EqualTo((seed0, seed1)));
    }

    [TestCase(16, 48, V4, 0x70C6F3BB5610AEA2UL)]
    [TestCase(16, 48, V6, 0x5FE067B1C616B074UL)]
    public void Prefix_lengths_of_source_net_can_be_set(int net4, int net6, string source, ulong expected)
    {
        HashKey key = new(new TupleKey(TupleFields.SourceNet, new SourceNet(net4, net6)));

        RouteKey written = Write(key, Samples.Tuple(source, Destination), Request, new byte[key.BufferLength(0)], out _);

        Assert.That(written.Hash(0), Is.EqualTo(expected));
    }

    [TestCase("http-header:absent")]
    [TestCase("http-cookie:SID")]
    [TestCase("http-query:absent")]
    [TestCase("http-query:room http-cookie:absent")]
    public void Missing_field_falls_back_to_the_whole_tuple(string fields)
    {
        HashKey key = new(TupleFields.DestinationIp, fields.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(Field));
        RouteKey written = Write(key, Client, Request, new byte[key.BufferLength(Request.Length)], out bool isMissing);

        Assert.That(isMissing, Is.True);
        Assert.That(written.Hash(0), Is.EqualTo(TupleHash.Of(Client, TupleFields.All, 0)).And.EqualTo(0x25B3FE9E8CA76B85UL));
    }

    [TestCase("http-query:room", "GET /?room= HTTP/1.1\r\n\r\n")]
    [TestCase("http-query:room", "GET /?room=&room=b HTTP/1.1\r\n\r\n")]
    [TestCase("http-header:x", "GET / HTTP/1.1\r\nX:\r\n\r\n")]
    [TestCase("http-path", "OPTIONS * HTTP/1.1\r\n\r\n")]
    [TestCase("http-path:2", "CONNECT a.test:443 HTTP/1.1\r\n\r\n")]
    [TestCase("http-path", "")]
    [TestCase("sni", "no hello")]
    public void Empty_value_and_absent_head_are_missing(string field, string request)
    {
        HashKey key = new(TupleFields.None, [Field(field)]);
        byte[] buffer = new byte[key.BufferLength(request.Length)];
        byte[] bytes = Encoding.Latin1.GetBytes(request);
        RequestHead.TryParse(bytes, 1000, out RequestHead head);
        bool isMissing;
        if (request.EndsWith('\n')) key.Write(Client, new Inspected(head), buffer, out isMissing);
        else key.Write(Client, default, buffer, out isMissing);

        Assert.That(isMissing, Is.True);
    }

    [TestCase("/", 1, ExpectedResult = "/")]
    [TestCase("/a", 1, ExpectedResult = "/a")]
    [TestCase("/a/", 1, ExpectedResult = "/a")]
    [TestCase("/a/", 2, ExpectedResult = "/a/")]
    [TestCase("/a/b/c", 2, ExpectedResult = "/a/b")]
    [TestCase("/a/b/c", 3, ExpectedResult = "/a/b/c")]
    [TestCase("/a/b/c", 32, ExpectedResult = "/a/b/c")]
    [TestCase("//a/b", 1, ExpectedResult = "/")]
    [TestCase("//a/b", 2, ExpectedResult = "//a")]
    [TestCase("/a%2Fb/c", 1, ExpectedResult = "/a%2Fb")]
    [TestCase("/a%2fb/c", 1, ExpectedResult = "/a%2Fb")]
    [TestCase("/%61?q=/b", 1, ExpectedResult = "/a")]
    public string First_segments_of_a_path_are_those_before_the_next_slash(string path, int segments)
    {
        HashKey key = new(TupleFields.None, [Field($"http-path:{segments}")]);
        string request = $"GET {path} HTTP/1.1\r\n\r\n";
        return Encoding.Latin1.GetString(Write(key, Client, request, new byte[key.BufferLength(request.Length)], out _).Bytes);
    }

    [Test]
    public void Values_of_two_fields_are_not_confused()
    {
        HashKey key = new(TupleFields.None, [Field("http-query:a"), Field("http-query:b")]);
        ulong first = Write(key, Client, "GET /?a=xy&b=z HTTP/1.1\r\n\r\n", new byte[200], out _).Hash(0);
        ulong second = Write(key, Client, "GET /?a=x&b=yz HTTP/1.1\r\n\r\n", new byte[200], out _).Hash(0);

        Assert.That(first, Is.Not.EqualTo(second));
    }

    [Test]
    public void Fields_have_one_order_and_count_once()
    {
        string[] fields = ["http-query:b", "http-query:a", "sni", "http-path:2", "http-path", "sni", "http-header:X", "http-header:x"];
        HashKey key = new(TupleFields.None, fields.Select(Field));

        Assert.That(string.Join(' ', key.Named), Is.EqualTo("sni http-path http-path:2 http-header:x http-query:a http-query:b"));
        Assert.That(key.IsSingleValue, Is.False);
        Assert.That(new HashKey(TupleFields.None, [Field("sni")]).IsSingleValue, Is.True);
        Assert.That(new HashKey(TupleFields.SourceIp, [Field("sni")]).IsSingleValue, Is.False);
        Assert.That(new HashKey(TupleFields.SourceNet).IsSingleValue, Is.False);
    }

    [TestCase("")]
    [TestCase(null)]
    [TestCase("SNI")]
    [TestCase("sni:1")]
    [TestCase("source-net")]
    [TestCase("http-path:")]
    [TestCase("http-path:0")]
    [TestCase("http-path:33")]
    [TestCase("http-path:+1")]
    [TestCase("http-header")]
    [TestCase("http-header:")]
    [TestCase("http-header:a b")]
    [TestCase("http-header:a:b")]
    [TestCase("http-cookie:a=b")]
    [TestCase("http-cookie:\u00e9")]
    [TestCase("http-query:")]
    [TestCase("source-ip")]
    public void What_is_no_field_is_refused(string? text) => Assert.That(HashKeyField.TryParse(text, out _), Is.False);

    [TestCase("sni", true, false)]
    [TestCase("http-path:3", false, true)]
    [TestCase("http-query:a b", false, true)]
    public void Field_knows_what_must_be_inspected_for_it(string text, bool tls, bool http)
    {
        HashKeyField field = Field(text);

        Assert.That((field.NeedsTls, field.NeedsHttp, field.ToString()), Is.EqualTo((tls, http, text)));
    }

    [Test]
    public void Writing_a_key_allocates_nothing()
    {
        HashKey key = new(TupleFields.All, ((string[])["http-query:room", "http-cookie:sid", "http-path:2"]).Select(Field));
        byte[] bytes = Encoding.Latin1.GetBytes(Request);
        byte[] buffer = new byte[key.BufferLength(bytes.Length)];
        RequestHead.TryParse(bytes, bytes.Length, out RequestHead head);
        ulong first = key.Write(Client, new Inspected(head), buffer, out _).Hash(0);
        long before = GC.GetAllocatedBytesForCurrentThread();

        ulong again = key.Write(Client, new Inspected(head), buffer, out bool isMissing).Hash(0);

        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
        Assert.That((again, isMissing), Is.EqualTo((first, false)));
    }

    // A name is read from a hello, everything else from the request.
    private static RouteKey Write(HashKey key, FourTuple client, string request, byte[] buffer, out bool isMissing)
    {
        if (key.Named.Any(f => f.NeedsTls))
        {
            byte[] hello = HelloBuilder.Hello(HelloBuilder.ServerName("Chat.example.com."));
            byte[] scratch = new byte[ClientHello.ScratchLength(hello.Length)];
            InspectionResult result = ClientHello.TryParse(hello, hello.Length, scratch, out ClientHello parsed);
            Assert.That(result.Outcome, Is.EqualTo(InspectionOutcome.Parsed));
            return key.Write(client, new Inspected(parsed), buffer, out isMissing);
        }

        byte[] bytes = Encoding.Latin1.GetBytes(request);
        Assert.That(RequestHead.TryParse(bytes, bytes.Length, out RequestHead head).Outcome, Is.EqualTo(InspectionOutcome.Parsed));
        return key.Write(client, new Inspected(head), buffer, out isMissing);
    }

    private static HashKeyField Field(string text) =>
        HashKeyField.TryParse(text, out HashKeyField? field) ? field : throw new ArgumentException($"{text} is no field");
}
