using System.Buffers;
using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Toml;

namespace L4Balancer.Core.Config;

/// <summary>The table <c>[pools.health]</c>.</summary>
public sealed record HealthSettings
{
    public HealthType Type { get; init; } = HealthType.Tcp;

    /// <summary>For tcp and tls: written once connected, in UTF-8; empty means nothing.</summary>
    public string Send { get; init; } = "";

    /// <summary>For tcp and tls: what the answer must contain, in UTF-8; empty means that no answer is read.</summary>
    public string Expect { get; init; } = "";

    public TimeSpan Interval { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>Interval while a state change of the backend is pending.</summary>
    public TimeSpan FastInterval { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>Interval while the backend is not up.</summary>
    public TimeSpan DownInterval { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Fraction of the interval by which a probe may be earlier or later.</summary>
    public double Jitter { get; init; } = 0.1;

    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Consecutive good probes after which a backend is up again.</summary>
    public int Rise { get; init; } = 2;

    /// <summary>Consecutive failed probes after which a backend is taken out.</summary>
    public int Fall { get; init; } = 3;

    /// <summary>Port to probe; 0 means the backend's own port.</summary>
    public int Port { get; init; }

    /// <summary>Path and query that http and WebSocket probes request.</summary>
    public string Path { get; init; } = "/";

    /// <summary>Host header and SNI; empty means the backend's address as written.</summary>
    public string Host { get; init; } = "";

    /// <summary>Response codes of an http probe that count as good.</summary>
    public StatusCodes Status { get; init; } = StatusCodes.Default;

    /// <summary>Additional header fields of the request, by name.</summary>
    public ImmutableSortedDictionary<string, string> Headers { get; init; } = ImmutableSortedDictionary<string, string>.Empty;

    /// <summary>Whether the certificate is verified.</summary>
    public bool Verify { get; init; }

    /// <summary>Path of a PEM file with the only trusted certificates; empty means the system's.</summary>
    public string CaFile { get; init; } = "";

    /// <summary>
    /// The content of <see cref="CaFile"/> in PEM. <see cref="ConfigReader"/> leaves it empty and lists the file in its result.
    /// </summary>
    public string CaCertificates { get; init; } = "";

    /// <summary>Whether all of it has the same values; the equality of records compares collections by reference.</summary>
    public bool HasSameValues(HealthSettings other)
    {
        ArgumentNullException.ThrowIfNull(other);
        return Headers.SequenceEqual(other.Headers) && this with { Headers = other.Headers } == other;
    }
}

/// <summary>
/// <c>[pools.health]</c>. Keys that the type does not use are validated as well, so that the type can be changed back and forth.
/// </summary>
internal static class HealthBinding
{
    private const string HeadersForm = "a table of strings, like { Authorization = \"Bearer …\" }";
    private const string PathForm = "a path that begins with /, like \"/healthz\"";
    private const int LongestPath = 2048;
    private const int LongestHost = 260;
    private const int LongestValue = 4096;
    private const int LongestSend = 4096;
    private const int LongestExpect = 1024;

    private static readonly HealthSettings Defaults = new();
    private static readonly TimeSpan ShortestInterval = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan ShortestTimeout = TimeSpan.FromMilliseconds(1);

    /// <summary>tchar of RFC 9110, 5.6.2.</summary>
    private static readonly SearchValues<char> Token = SearchValues.Create(
        "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");

    private static readonly SearchValues<char> InHost = SearchValues.Create(
        "-._~:[]0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");

    /// <summary>Headers that the probe sets itself; the exchange depends on their values.</summary>
    private static readonly ImmutableArray<string> Ours =
        ["Connection", "Upgrade", "Sec-WebSocket-Key", "Sec-WebSocket-Version", "Content-Length", "Transfer-Encoding"];

    /// <param name="table">The health table of one pool.</param>
    /// <param name="files">The files that the table refers to are added.</param>
    public static HealthSettings Bind(TableBinder table, List<NamedFile> files) => new()
    {
        Type = table.Choice("type", Defaults.Type, Vocabulary.Health),
        Send = BindBytes(table, "send", Defaults.Send, LongestSend),
        Expect = BindBytes(table, "expect", Defaults.Expect, LongestExpect),
        Interval = table.Duration("interval", Defaults.Interval, ShortestInterval, Duration.LongestMilliseconds),
        FastInterval = table.Duration("fast_interval", Defaults.FastInterval, ShortestInterval, Duration.LongestMilliseconds),
        DownInterval = table.Duration("down_interval", Defaults.DownInterval, ShortestInterval, Duration.LongestMilliseconds),
        Jitter = table.Number("jitter", Defaults.Jitter, 0, 0.5),
        Timeout = table.Duration("timeout", Defaults.Timeout, ShortestTimeout, Duration.LongestMilliseconds),
        Rise = table.Integer("rise", Defaults.Rise, 1, 100),
        Fall = table.Integer("fall", Defaults.Fall, 1, 100),
        Port = table.Integer("port", Defaults.Port, 0, 65_535),
        Path = BindPath(table),
        Host = BindHost(table),
        Status = BindStatus(table),
        Headers = BindHeaders(table),
        Verify = table.Boolean("verify", Defaults.Verify),
        CaFile = BindCaFile(table, files),
    };

    private static string BindBytes(TableBinder table, string key, string fallback, int longest)
    {
        if (!table.TryGet(key, out Setting setting) || !setting.TryText("a string, with escapes as in \"PING\\r\\n\"", out string text))
        {
            return fallback;
        }

        int length = Encoding.UTF8.GetByteCount(text);
        return length <= longest || setting.Reject(string.Create(
            CultureInfo.InvariantCulture, $"has {length} bytes in UTF-8; allowed: up to {longest}")) ? text : fallback;
    }

    private static string BindPath(TableBinder table)
    {
        if (!table.TryGet("path", out Setting setting) || !setting.TryText(PathForm, out string path))
        {
            return Defaults.Path;
        }

        bool fits = path.Length is > 0 and <= LongestPath && path[0] == '/' && path.All(static c => c is > ' ' and < '\x7F' and not '#');
        return fits || setting.Reject($"{Quoted.Text(path)} is not {PathForm}; allowed: 1 to {LongestPath} visible ASCII characters except #")
            ? path : Defaults.Path;
    }

    private static string BindHost(TableBinder table)
    {
        const string Form = "a host name, like \"chat.example.com\"";
        if (!table.TryGet("host", out Setting setting) || !setting.TryText(Form, out string host))
        {
            return Defaults.Host;
        }

        bool fits = host.Length == 0 || (host.Length <= LongestHost && !host.AsSpan().ContainsAnyExcept(InHost) && HasHost(host));
        return fits || setting.Reject($"{Quoted.Text(host)} is not {Form}; allowed: also with a port, or \"\" for the address as written")
            ? host : Defaults.Host;
    }

    // The form of a Host header (RFC 9110, 7.2): a name, an IPv4 address or an IPv6 address in brackets, and optionally a port.
    private static bool HasHost(string text)
    {
        int end = text[0] == '[' ? text.IndexOf(']', StringComparison.Ordinal) + 1 : text.IndexOf(':', StringComparison.Ordinal);
        string host = end < 0 ? text : text[..end];
        string port = end < 0 ? "" : text[end..];
        bool hasPort = port.Length == 0
            || (port[0] == ':' && ushort.TryParse(port.AsSpan(1), NumberStyles.None, CultureInfo.InvariantCulture, out ushort number) && number > 0);
        bool isName = host.Length > 0 && host.TrimEnd('.').Split('.').All(static l => l.Length > 0 && !l.AsSpan().ContainsAny(":[]"));
        return hasPort && (text[0] == '[' ? end > 2 && HostAddress.TryParse(host[1..^1], out _) : isName);
    }

    private static StatusCodes BindStatus(TableBinder table)
    {
        const string Form = "status codes, like \"200-399\" or \"200, 204, 301-302\"";
        StatusCodes codes = Defaults.Status;
        _ = table.TryGet("status", out Setting setting)
            && setting.TryText(Form, out string text)
            && (StatusCodes.TryParse(text, out codes) || setting.Reject($"{Quoted.Text(text)} is not {Form}; allowed: 100 to 599"));
        return codes;
    }

    private static ImmutableSortedDictionary<string, string> BindHeaders(TableBinder table)
    {
        if (!table.TryGet("headers", out Setting setting))
        {
            return Defaults.Headers;
        }

        if (setting.Node is not TomlTable given)
        {
            setting.WrongType(HeadersForm);
            return Defaults.Headers;
        }

        var headers = ImmutableSortedDictionary.CreateBuilder<string, string>(StringComparer.OrdinalIgnoreCase);
        foreach (TomlEntry entry in given.Entries)
        {
            Setting header = new(entry.Value, $"{setting.Key}.{Quoted.Key(entry.Key)}", setting.Errors);
            if (WhyNot(entry.Key, headers) is string fault)
            {
                setting.Errors.Add(entry.KeyPosition, header.Key, fault);
            }
            else if (header.TryText("a string", out string value))
            {
                // RFC 9110, 5.5: CR, LF and NUL allow request splitting; bytes beyond ASCII have no defined meaning.
                bool fits = value.Length <= LongestValue && value.All(static c => c is '\t' or (>= ' ' and < '\x7F'));
                _ = fits || header.Reject($"{Quoted.Text(value)} is not a header value; allowed: up to {LongestValue} visible ASCII characters and spaces");
                headers.Add(entry.Key, value.Trim());
            }
        }

        return headers.Count == 0 ? Defaults.Headers : headers.ToImmutable();
    }

    private static string? WhyNot(string name, ImmutableSortedDictionary<string, string>.Builder headers) =>
        name.Length == 0 || name.AsSpan().ContainsAnyExcept(Token) ? "is not a header name; allowed: letters, digits and ! # $ % & ' * + - . ^ _ ` | ~"
        : name.Equals("Host", StringComparison.OrdinalIgnoreCase) ? "has its own key; use host"
        : Ours.Contains(name, StringComparer.OrdinalIgnoreCase) ? "is set by the probe itself; leave it out"
        : headers.ContainsKey(name) ? "is given twice; header names are not case-sensitive"
        : null;

    private static string BindCaFile(TableBinder table, List<NamedFile> files)
    {
        const string Form = "the absolute path of a file of PEM certificates, like \"/etc/ssl/ours.pem\"";
        if (!table.TryGet("ca_file", out Setting setting) || !setting.TryText(Form, out string path))
        {
            return Defaults.CaFile;
        }

        if (path.Length == 0 || ((path[0] != '/' || path.Contains('\0')) && !setting.Reject($"{Quoted.Text(path)} is not {Form}")))
        {
            return Defaults.CaFile;
        }

        files.Add(new NamedFile(path, setting.Key, setting.Position));
        return path;
    }
}
