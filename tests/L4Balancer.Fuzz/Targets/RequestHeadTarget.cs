using System.Buffers;
using System.Text;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Inspection;

namespace L4Balancer.Fuzz.Targets;

/// <summary>Heads of HTTP requests: whole and arriving in parts; their fields, and the hash keys made of them.</summary>
internal sealed class RequestHeadTarget : FuzzTarget
{
    private const int Limit = 16 * 1024;
    private const int Shown = 128;

    private static readonly SearchValues<byte> NoHost = SearchValues.Create("\r\n\0 /@"u8);
    private static readonly SearchValues<byte> NoPath = SearchValues.Create("\r\n\0? "u8);

    private static readonly HashKey[] HashKeys =
    [
        Keys.Of(TupleFields.None, "http-path", "http-path:2", "http-header:x-room", "http-cookie:sid", "http-query:room"),
        Keys.Of(TupleFields.None, "http-path"),
        Keys.Of(TupleFields.None, "http-path:1"),
        Keys.Of(TupleFields.SourceIp, "http-query:room"),
    ];

    public override string Name => "requesthead";

    public override IReadOnlyList<byte[]> Fragments { get; } = Texts.Of(
        "\r\n", "\n", "\r", " ", ":", "%", "%2", "%41", "%2F", "%00", "?", "&", "=", ";", "//", "/../", "/./", "+", "Host: b\r\n", "Host:",
        "HTTP/1.1", "http://", "[::1]", "@", "room=", "sid=", "Cookie: ", "X-Room: ", "*", "\0", "\t", "\u00ff");

    public override IEnumerable<byte[]> Seeds() => Texts.Of(
        "GET /rooms/%34%32?token=a%20b&room=x HTTP/1.1\r\nHost: Chat.Example.com:8080\r\nCookie: a=1; sid=\"q\"\r\nX-Room: lobby\r\n\r\n",
        "GET http://[2001:db8::1]:80/p?q HTTP/1.0\nhost: [2001:db8::1]\n\n",
        "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\nbody",
        "GET /a/../b/./c//d?room=%2B+&room=2 HTTP/1.1\r\nHost: a.\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

    public override bool Run(byte[] bytes)
    {
        InspectionResult result = Arrival.Check(bytes, Limit, Parse);
        if (result.Outcome != InspectionOutcome.Parsed)
        {
            return false;
        }

        RequestHead.TryParse(bytes, Limit, out RequestHead head);
        InspectionResult shorter = RequestHead.TryParse(bytes.AsSpan(0, head.Length - 1), Limit, out _);
        Finding.Unless(shorter.Outcome == InspectionOutcome.NeedMore, $"{shorter} one byte before the end of a head");
        InspectionResult alone = RequestHead.TryParse(bytes.AsSpan(0, head.Length), Limit, out _);
        Finding.Unless(alone.Outcome == InspectionOutcome.Parsed, $"{alone} without what follows");
        foreach (HashKey key in HashKeys)
        {
            CheckKey(key, head);
        }

        return true;
    }

    private static Arrived Parse(ReadOnlySpan<byte> received)
    {
        InspectionResult result = RequestHead.TryParse(received, Limit, out RequestHead head);
        if (result.Outcome != InspectionOutcome.Parsed)
        {
            return new Arrived(result, "");
        }

        Finding.Unless(head.Length is > 0 and <= Limit && head.Length <= received.Length, $"a head of {head.Length} bytes");
        Finding.Unless(!head.Host.ContainsAny(NoHost), "a host that is none");
        Finding.Unless(!head.Path.ContainsAny(NoPath), "a path that is none");
        var path = new byte[head.Path.Length];
        ReadOnlySpan<byte> normal = PercentEncoding.NormalizePath(head.Path, path);
        var again = new byte[normal.Length];
        Finding.Unless(
            HasLonePercent(head.Path) || PercentEncoding.NormalizePath(normal, again).SequenceEqual(normal), "a normalized path that is not normal");
        head.TryGetHeader("x-room"u8, out ReadOnlySpan<byte> room);
        head.TryGetCookie("sid"u8, out ReadOnlySpan<byte> sid);
        head.TryGetQuery("room"u8, new byte[head.Query.Length], out ReadOnlySpan<byte> query);
        return new Arrived(result, $"{head.Length} {Text(head.Method)} {Text(head.Host)} {Text(normal)} {Text(room)} {Text(sid)} {Text(query)}");
    }

    // A "%" that begins no triplet (RFC 3986, 2.1) may begin one when what follows it is decoded: "%3%34". No valid path has that form, so
    // that it is mistaken for no other; a path is normalized once.
    private static bool HasLonePercent(ReadOnlySpan<byte> path)
    {
        for (int at = path.IndexOf((byte)'%'); at >= 0 && at < path.Length; at++)
        {
            if (path[at] == (byte)'%' && !(at + 2 < path.Length && char.IsAsciiHexDigit((char)path[at + 1]) && char.IsAsciiHexDigit((char)path[at + 2])))
            {
                return true;
            }
        }

        return false;
    }

    private static void CheckKey(HashKey key, RequestHead head)
    {
        var buffer = new byte[key.BufferLength(head.Length)];
        int length = key.Write(Keys.Client, new Inspected(head), buffer, out bool isMissing).Bytes.Length;
        Finding.Unless(length > 0, "an empty key");
        if (!isMissing)
        {
            Finding.Unless(key.Show(buffer.AsSpan(0, length), Shown).Length <= Shown + "...".Length, "a shown key that is too long");
        }
    }

    private static string Text(ReadOnlySpan<byte> bytes) => Encoding.Latin1.GetString(bytes);
}
