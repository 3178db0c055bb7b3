namespace L4Balancer.Core.Inspection;

/// <summary>The four forms of a request target (RFC 9112, 3.2), split into what routes and keys use.</summary>
internal readonly ref struct RequestTarget
{
    private RequestTarget(ReadOnlySpan<byte> authority, ReadOnlySpan<byte> pathAndQuery)
    {
        Authority = authority;
        int mark = pathAndQuery.IndexOf((byte)'?');
        Path = mark < 0 ? pathAndQuery : pathAndQuery[..mark];
        Query = mark < 0 ? default : pathAndQuery[(mark + 1)..];

        // The path of "http://host" and "http://host?q" is "/" (RFC 9110, 4.2.3).
        if (Path.IsEmpty && !authority.IsEmpty)
        {
            Path = "/"u8;
        }
    }

    private RequestTarget(ReadOnlySpan<byte> authority) => Authority = authority;

    /// <summary>Of the absolute and the authority form; otherwise empty.</summary>
    public ReadOnlySpan<byte> Authority { get; }

    /// <summary>As sent, beginning with "/"; empty in the authority form (CONNECT) and the asterisk form.</summary>
    public ReadOnlySpan<byte> Path { get; }

    /// <summary>As sent, without "?".</summary>
    public ReadOnlySpan<byte> Query { get; }

    /// <summary>False if the target has none of the four forms, or a fragment, which is never sent.</summary>
    public static bool TryParse(ReadOnlySpan<byte> method, ReadOnlySpan<byte> text, out RequestTarget target)
    {
        target = default;
        if (text.Contains((byte)'#'))
        {
            return false;
        }

        if (method.SequenceEqual("CONNECT"u8))
        {
            target = new RequestTarget(text);
            return true;
        }

        // "//host/path" is a path with an empty first segment: an origin form has no authority.
        if (text[0] == (byte)'/')
        {
            target = new RequestTarget(default, text);
            return true;
        }

        if (text.SequenceEqual("*"u8))
        {
            return true;
        }

        int scheme = text.IndexOf("://"u8);
        if (scheme <= 0 || !char.IsAsciiLetter((char)text[0]) || text[..scheme].ContainsAnyExcept(RequestLine.Token))
        {
            return false;
        }

        ReadOnlySpan<byte> rest = text[(scheme + 3)..];
        int end = rest.IndexOfAny((byte)'/', (byte)'?');
        end = end < 0 ? rest.Length : end;
        target = new RequestTarget(rest[..end], rest[end..]);
        return end > 0;
    }
}
