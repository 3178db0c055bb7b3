using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;

namespace L4Balancer.Core.Inspection;

/// <summary>The named fields of <c>hash_key</c>, in the order in which they are hashed.</summary>
internal enum HashKeyKind
{
    Sni,
    HttpPath,
    HttpHeader,
    HttpCookie,
    HttpQuery,
}

/// <summary>One named field of <c>hash_key</c>: beside the parts of the tuple, what a connection is hashed by.</summary>
public sealed record HashKeyField
{
    /// <summary>The N of <c>http-path:N</c> is at most this.</summary>
    public const int MostSegments = 32;

    private readonly byte[] _name;

    private HashKeyField(HashKeyKind kind, string name, int segments)
    {
        Kind = kind;
        Name = name;
        Segments = segments;
        _name = Encoding.UTF8.GetBytes(name);
    }

    internal HashKeyKind Kind { get; }

    /// <summary>Of the header field (in lower case), the cookie or the parameter; otherwise empty.</summary>
    public string Name { get; }

    /// <summary>How many segments of the path count; 0: all.</summary>
    public int Segments { get; }

    /// <summary>Whether the listener must look at a ClientHello for it.</summary>
    public bool NeedsTls => Kind == HashKeyKind.Sni;

    /// <summary>Whether the listener must look at a request head for it.</summary>
    public bool NeedsHttp => Kind >= HashKeyKind.HttpPath;

    /// <summary><see cref="Name"/> in UTF-8.</summary>
    internal ReadOnlySpan<byte> NameBytes => _name;

    /// <summary>Accepts <c>sni</c>, <c>http-path</c>, <c>http-path:N</c>, <c>http-header:NAME</c> and so on.</summary>
    public static bool TryParse(string? text, [NotNullWhen(true)] out HashKeyField? field)
    {
        string[] parts = (text ?? "").Split(':', 2);
        string argument = parts.Length == 2 ? parts[1] : "";
        bool isBare = parts.Length == 1;
        field = parts[0] switch
        {
            "sni" when isBare => new HashKeyField(HashKeyKind.Sni, "", 0),
            "http-path" when isBare => new HashKeyField(HashKeyKind.HttpPath, "", 0),
            "http-path" when TryParseSegments(argument, out int segments) => new HashKeyField(HashKeyKind.HttpPath, "", segments),
            "http-header" when IsToken(argument) => new HashKeyField(HashKeyKind.HttpHeader, argument.ToLowerInvariant(), 0),
            "http-cookie" when IsToken(argument) => new HashKeyField(HashKeyKind.HttpCookie, argument, 0),
            "http-query" when argument.Length > 0 => new HashKeyField(HashKeyKind.HttpQuery, argument, 0),
            _ => null,
        };
        return field is not null;
    }

    /// <summary>By kind, then by segments, then by name in byte order: the order of the file does not matter.</summary>
    internal static int Compare(HashKeyField a, HashKeyField b) =>
        a.Kind != b.Kind ? a.Kind.CompareTo(b.Kind)
        : a.Segments != b.Segments ? a.Segments.CompareTo(b.Segments)
        : a.NameBytes.SequenceCompareTo(b.NameBytes);

    public bool Equals(HashKeyField? other) => other is not null && Compare(this, other) == 0;

    public override int GetHashCode() => HashCode.Combine(Kind, Segments, Name);

    public override string ToString() => Kind switch
    {
        HashKeyKind.Sni => "sni",
        HashKeyKind.HttpPath when Segments == 0 => "http-path",
        HashKeyKind.HttpPath => string.Create(CultureInfo.InvariantCulture, $"http-path:{Segments}"),
        HashKeyKind.HttpHeader => "http-header:" + Name,
        HashKeyKind.HttpCookie => "http-cookie:" + Name,
        _ => "http-query:" + Name,
    };

    private static bool TryParseSegments(string text, out int segments) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out segments) && segments is > 0 and <= MostSegments;

    // Names of header fields (RFC 9110, 5.1) and of cookies (RFC 6265, 4.1.1).
    private static bool IsToken(string text) =>
        text.Length > 0 && text.All(static c => c < 0x80) && !Encoding.ASCII.GetBytes(text).AsSpan().ContainsAnyExcept(RequestLine.Token);
}
