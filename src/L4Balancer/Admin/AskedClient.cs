using System.Text;
using L4Balancer.Core.Config;
using L4Balancer.Core.Inspection;

namespace L4Balancer.Admin;

/// <summary>
/// What the client of a <c>locate</c> would send first. It is written as a real ClientHello or request head and read by the parsers that read
/// those of clients, so that names and paths take the same form.
/// </summary>
/// <param name="Header"><c>NAME:VALUE</c>.</param>
/// <param name="Cookie"><c>NAME=VALUE</c>, as <paramref name="Query"/>.</param>
/// <param name="Key">In place of the value of the only named field of <c>hash_key</c>, else of the whole key.</param>
internal sealed record AskedClient(
    string? Sni = null, string? Alpn = null, string? Host = null, string? Path = null, string? Header = null, string? Cookie = null,
    string? Query = null, string? Key = null)
{
    /// <summary>The names of all parameters, in the API and with two hyphens as options.</summary>
    public static readonly string[] Parameters = ["sni", "alpn", "host", "path", "header", "cookie", "query", "key"];

    /// <summary>The length fields of a hello have 16 bits; the longest limit of a listener is 64 KiB.</summary>
    private const int Longest = 8192;

    private bool IsHello => Sni is not null || Alpn is not null;

    private bool IsRequest => (Host ?? Path ?? Header ?? Cookie ?? Query) is not null;

    /// <param name="valueOf">The value of a parameter, null if it is not given.</param>
    public static AskedClient Of(Func<string, string?> valueOf) => new(
        valueOf("sni"), valueOf("alpn"), valueOf("host"), valueOf("path"), valueOf("header"), valueOf("cookie"), valueOf("query"), valueOf("key"));

    /// <summary>What the listener would read of it; nothing if nothing is given.</summary>
    /// <param name="mistake">One line, if the result is false.</param>
    public bool TryRead(ListenerSettings listener, out Inspected inspected, out string mistake)
    {
        inspected = default;
        mistake = "";
        string?[] given = [Sni, Alpn, Host, Path, Header, Cookie, Query, Key];
        if (given.Any(static g => g is not null && (g.Length > Longest || g.Any(char.IsControl))))
        {
            mistake = $"a name, path or value has at most {Longest} characters, and no control characters";
        }
        else if (IsHello && listener.Inspect != InspectKind.Tls)
        {
            mistake = $"sni and alpn: listener {listener.Name} does not read them; it needs inspect = \"tls\"";
        }
        else if (IsRequest && listener.Inspect != InspectKind.Http)
        {
            mistake = $"host, path, header, cookie and query: listener {listener.Name} does not read them; it needs inspect = \"http\"";
        }
        else if (IsHello)
        {
            byte[] hello = Hello();
            InspectionResult result = ClientHello.TryParse(hello, hello.Length, new byte[ClientHello.ScratchLength(hello.Length)], out ClientHello read);
            inspected = new Inspected(read);
            mistake = result.Outcome == InspectionOutcome.Parsed ? "" : $"sni and alpn make no ClientHello: {result.Reason}";
        }
        else if (IsRequest)
        {
            ReadRequest(out inspected, out mistake);
        }

        return mistake.Length == 0;
    }

    private void ReadRequest(out Inspected inspected, out string mistake)
    {
        inspected = default;
        mistake = Header is not null && !Header.Contains(':') ? "header is NAME:VALUE, as in X-Room:blue"
            : Cookie is not null && !Cookie.Contains('=') ? "cookie is NAME=VALUE, as in sid=7f3a"
            : Query is not null && !Query.Contains('=') ? "query is NAME=VALUE, as in room=blue"
            : "";
        if (mistake.Length > 0)
        {
            return;
        }

        byte[] head = Encoding.UTF8.GetBytes(Request());
        InspectionResult result = RequestHead.TryParse(head, head.Length, out RequestHead read);
        inspected = new Inspected(read);
        mistake = result.Outcome == InspectionOutcome.Parsed ? "" : $"host, path, header, cookie and query make no HTTP request: {result.Reason}";
    }

    // Without a path or a query the request has none, so that a key of the path is missing, as it is.
    private string Request()
    {
        var head = new StringBuilder();
        string target = Path ?? "/";
        if (Query is not null)
        {
            int equals = Query.IndexOf('=', StringComparison.Ordinal);
            target += $"{(target.Contains('?') ? '&' : '?')}{Uri.EscapeDataString(Query[..equals])}={Uri.EscapeDataString(Query[(equals + 1)..])}";
        }

        head.Append(Path is null && Query is null ? "OPTIONS *" : $"GET {target}").Append(" HTTP/1.1\r\n");
        Append(head, "Host", Host);
        Append(head, "Cookie", Cookie);
        if (Header is not null)
        {
            int colon = Header.IndexOf(':', StringComparison.Ordinal);
            Append(head, Header[..colon], Header[(colon + 1)..]);
        }

        return head.Append("\r\n").ToString();
    }

    private static void Append(StringBuilder head, string name, string? value)
    {
        if (value is not null)
        {
            head.Append(name).Append(": ").Append(value).Append("\r\n");
        }
    }

    // RFC 8446, 4.1.2, in one record: version, random, no session, one suite, no compression, and the two extensions.
    private byte[] Hello()
    {
        byte[] name = Sni is null ? [] : Extension(0, Vector([0, .. Vector(Encoding.UTF8.GetBytes(Sni))]));
        byte[] alpn = Alpn is null ? [] : Extension(16, Vector([.. Alpn.Split(',').SelectMany(static p => Protocol(p.Trim()))]));
        byte[] body = [3, 3, .. new byte[32], 0, .. Vector([0x13, 0x01]), 1, 0, .. Vector([.. name, .. alpn])];
        byte[] message = [1, 0, .. Vector(body)];
        return [22, 3, 1, .. Vector(message)];
    }

    private static byte[] Protocol(string name)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(name);
        return [(byte)Math.Min(bytes.Length, byte.MaxValue), .. bytes];
    }

    private static byte[] Extension(int type, byte[] data) => [(byte)(type >> 8), (byte)type, .. Vector(data)];

    private static byte[] Vector(byte[] bytes) => [(byte)(bytes.Length >> 8), (byte)bytes.Length, .. bytes];
}
