using System.Buffers;

namespace L4Balancer.Core.Inspection;

/// <summary>
/// The first line of an HTTP/1 request (RFC 9112, 3), in the strict form: single spaces between its parts. What does not begin like one
/// is another protocol, which is recognised at the first byte that does not fit.
/// </summary>
internal readonly ref struct RequestLine
{
    /// <summary>In bytes; the longest registered method has 17. Text without a space is no request for longer than this.</summary>
    private const int LongestMethod = 32;

    // tchar (RFC 9110, 5.6.2)
    internal static readonly SearchValues<byte> Token =
        SearchValues.Create("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"u8);

    private static readonly SearchValues<byte> SpaceOrControl =
        SearchValues.Create([.. Enumerable.Range(0, 0x21).Select(c => (byte)c), 0x7F]);

    private RequestLine(ReadOnlySpan<byte> method, ReadOnlySpan<byte> target, int length)
    {
        Method = method;
        Target = target;
        Length = length;
    }

    /// <summary>Case-sensitive (RFC 9110, 9.1).</summary>
    public ReadOnlySpan<byte> Method { get; }

    public ReadOnlySpan<byte> Target { get; }

    /// <summary>With its line end, and an empty line before it.</summary>
    public int Length { get; }

    public static InspectionResult TryParse(ReadOnlySpan<byte> received, int limit, out RequestLine line)
    {
        line = default;
        int at = EmptyLine(received);
        if (at < 0)
        {
            return NeedMore(received, limit);
        }

        ReadOnlySpan<byte> rest = received[at..];
        int methodLength = rest.IndexOfAnyExcept(Token);
        if (methodLength == 0 || methodLength > LongestMethod || (methodLength < 0 && rest.Length > LongestMethod)
            || (methodLength > 0 && rest[methodLength] != (byte)' '))
        {
            return InspectionResult.OtherProtocol("no HTTP method at the beginning");
        }

        if (methodLength < 0)
        {
            return NeedMore(received, limit);
        }

        ReadOnlySpan<byte> target = rest[(methodLength + 1)..];
        int targetLength = target.IndexOfAny(SpaceOrControl);
        if (targetLength < 0)
        {
            return NeedMore(received, limit);
        }

        if (targetLength == 0 || target[targetLength] != (byte)' ')
        {
            return InspectionResult.OtherProtocol("no HTTP request line at the beginning");
        }

        ReadOnlySpan<byte> version = target[(targetLength + 1)..];
        int versionLength = VersionLength(version);
        if (versionLength == 0)
        {
            return NeedMore(received, limit);
        }

        if (versionLength < 0)
        {
            // The preface of HTTP/2 is "PRI * HTTP/2.0" (RFC 9113, 3.4).
            return InspectionResult.OtherProtocol(
                version.StartsWith("HTTP/2"u8) ? "HTTP/2 without TLS" : "no HTTP/1 version in the first line");
        }

        line = new RequestLine(
            rest[..methodLength], target[..targetLength], at + methodLength + 1 + targetLength + 1 + versionLength);
        return InspectionResult.Parsed;
    }

    /// <summary>The length of a head is not known before its end: any byte may be the last.</summary>
    internal static InspectionResult NeedMore(ReadOnlySpan<byte> received, int limit) =>
        InspectionResult.NeedMore((long)received.Length + 1, limit);

    // A server should ignore at least one empty line before a request (RFC 9112, 2.2); more than one are none. -1: not known yet.
    private static int EmptyLine(ReadOnlySpan<byte> received) => received switch
    {
        [] or [(byte)'\r'] => -1,
        [(byte)'\r', (byte)'\n', ..] => 2,
        [(byte)'\n', ..] => 1,
        _ => 0,
    };

    // "HTTP/1.", a digit, and the line end: 0 as long as it is incomplete, -1 if it is something else.
    private static int VersionLength(ReadOnlySpan<byte> rest)
    {
        ReadOnlySpan<byte> prefix = "HTTP/1."u8;
        int compared = Math.Min(prefix.Length, rest.Length);
        if (!rest[..compared].SequenceEqual(prefix[..compared]))
        {
            return -1;
        }

        return rest[compared..] switch
        {
            [] => 0,
            [< (byte)'0' or > (byte)'9', ..] => -1,
            [_] or [_, (byte)'\r'] => 0,
            [_, (byte)'\n', ..] => prefix.Length + 2,
            [_, (byte)'\r', (byte)'\n', ..] => prefix.Length + 3,
            _ => -1,
        };
    }
}
