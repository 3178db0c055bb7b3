using System.Text;

namespace L4Balancer.Core.Inspection;

/// <summary>
/// Request line and header fields of the first HTTP/1 request of a connection (RFC 9112, 2 to 5), parsed without copying; never waits for
/// more than the head. Only what balancers and servers may read in different ways is invalid: two Host fields, a target that names another
/// host than Host, folded fields, white space before a colon, NUL and a lone CR. A lone LF ends a line (RFC 9112, 2.2). Of anything else
/// that is given twice the first wins. Lives as long as the bytes that it was read from.
/// </summary>
public readonly ref struct RequestHead
{
    private readonly ReadOnlySpan<byte> _fields;
    private readonly RequestTarget _target;

    private RequestHead(RequestLine line, RequestTarget target, ReadOnlySpan<byte> fields, ReadOnlySpan<byte> host, int length)
    {
        Method = line.Method;
        _target = target;
        _fields = fields;
        Host = host;
        Length = length;
    }

    /// <summary>Length in bytes, including the empty line. What follows is no part of it.</summary>
    public int Length { get; }

    public ReadOnlySpan<byte> Method { get; }

    /// <summary>
    /// The host that the request is for, without port and trailing dot, in the case that was sent: that of the target in its absolute form
    /// (RFC 9112, 3.2.2), otherwise of Host. Empty if the request names none.
    /// </summary>
    public ReadOnlySpan<byte> Host { get; }

    /// <summary>
    /// The path as sent, without the query; empty if the target has none (CONNECT, <c>OPTIONS *</c>). For comparisons see
    /// <see cref="PercentEncoding.NormalizePath"/>.
    /// </summary>
    public ReadOnlySpan<byte> Path => _target.Path;

    /// <summary>The query as sent, without "?".</summary>
    public ReadOnlySpan<byte> Query => _target.Query;

    /// <param name="received">All bytes received so far, from the first.</param>
    /// <param name="limit">How many bytes a head may have.</param>
    public static InspectionResult TryParse(ReadOnlySpan<byte> received, int limit, out RequestHead head)
    {
        head = default;
        received = received.Length > limit ? received[..limit] : received;
        InspectionResult result = RequestLine.TryParse(received, limit, out RequestLine line);
        if (result.Outcome != InspectionOutcome.Parsed)
        {
            return result;
        }

        if (!RequestTarget.TryParse(line.Method, line.Target, out RequestTarget target)
            || !HostField.TryParse(target.Authority, out ReadOnlySpan<byte> host))
        {
            return InspectionResult.Invalid("the HTTP request target is malformed");
        }

        bool hasHost = false;
        for (int at = line.Length; at < received.Length;)
        {
            int end = received[at..].IndexOf((byte)'\n');
            if (end < 0)
            {
                break;
            }

            ReadOnlySpan<byte> text = RequestFields.WithoutReturn(received.Slice(at, end));
            int next = at + end + 1;
            if (text.IsEmpty)
            {
                head = new RequestHead(line, target, received[line.Length..at], host, next);
                return InspectionResult.Parsed;
            }

            if (RequestFields.Fault(text) is { } fault)
            {
                return InspectionResult.Invalid(fault);
            }

            if (RequestFields.IsNamed(text, "host"u8, out ReadOnlySpan<byte> value))
            {
                if (hasHost || !HostField.TryParse(value, out ReadOnlySpan<byte> named)
                    || (!target.Authority.IsEmpty && !Ascii.EqualsIgnoreCase(named, host)))
                {
                    return InspectionResult.Invalid("the HTTP field Host is malformed, given twice, or unlike the request target");
                }

                hasHost = true;
                host = named;
            }

            at = next;
        }

        return RequestLine.NeedMore(received, limit);
    }

    /// <summary>The value of the first field of this name (case-insensitive), without surrounding white space.</summary>
    public bool TryGetHeader(ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value)
    {
        foreach (ReadOnlySpan<byte> found in new RequestFields(_fields, name))
        {
            value = found;
            return true;
        }

        value = default;
        return false;
    }

    /// <summary>
    /// The value of the first cookie of this name (case-sensitive; RFC 6265, 4.2 and 5.4) as sent: quotes are kept, nothing is decoded.
    /// </summary>
    public bool TryGetCookie(ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value)
    {
        foreach (ReadOnlySpan<byte> cookies in new RequestFields(_fields, "cookie"u8))
        {
            foreach (Range range in cookies.Split((byte)';'))
            {
                ReadOnlySpan<byte> pair = cookies[range];
                int equals = pair.IndexOf((byte)'=');
                if (equals >= 0 && pair[..equals].Trim(" \t"u8).SequenceEqual(name))
                {
                    value = pair[(equals + 1)..].Trim(" \t"u8);
                    return true;
                }
            }
        }

        value = default;
        return false;
    }

    /// <summary>
    /// The value of the first parameter of this name in the query, name and value decoded once (WHATWG URL, 5.1: separated by "&amp;", "+"
    /// is a space). A parameter without "=" has an empty value.
    /// </summary>
    /// <param name="scratch">At least as long as <see cref="Query"/>.</param>
    public bool TryGetQuery(ReadOnlySpan<byte> name, Span<byte> scratch, out ReadOnlySpan<byte> value)
    {
        foreach (Range range in Query.Split((byte)'&'))
        {
            ReadOnlySpan<byte> pair = Query[range];
            int equals = pair.IndexOf((byte)'=');
            if (PercentEncoding.FormEquals(equals < 0 ? pair : pair[..equals], name))
            {
                value = equals < 0 ? default : PercentEncoding.DecodeForm(pair[(equals + 1)..], scratch);
                return true;
            }
        }

        value = default;
        return false;
    }
}
