using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace L4Balancer.Core.Addressing;

/// <summary>A host name and a TCP port, <c>host.name:443</c>, not resolved.</summary>
/// <param name="Host">In lower case, because DNS ignores case (RFC 4343); a trailing dot is kept.</param>
public readonly record struct HostName(string Host, ushort Port)
{
    // RFC 1035, 2.3.4: 255 octets on the wire correspond to 253 characters including the dots between labels.
    private const int Longest = 253;
    private const int LongestLabel = 63;

    /// <summary>
    /// Accepts labels of letters, digits and inner hyphens (RFC 1123, 2.1), of which the last is not a number (RFC 3696, 2), and a
    /// decimal port without leading zeros. Underscores are accepted as well, because resolvers do: Docker, SRV targets and Windows have such
    /// names (RFC 2181, 11). Wildcards are rejected.
    /// </summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out HostName name)
    {
        name = default;
        int colon = text?.LastIndexOf(':') ?? -1;
        if (text is null || colon <= 0 || !TryParsePort(text.AsSpan(colon + 1), out ushort port) || !IsHost(text.AsSpan(0, colon)))
        {
            return false;
        }

        name = new HostName(text[..colon].ToLowerInvariant(), port);
        return true;
    }

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Host}:{Port}");

    private static bool IsHost(ReadOnlySpan<char> host)
    {
        host = host.EndsWith(".", StringComparison.Ordinal) ? host[..^1] : host;
        if (host.Length is 0 or > Longest)
        {
            return false;
        }

        ReadOnlySpan<char> last = default;
        foreach (Range label in host.Split('.'))
        {
            last = host[label];
            if (!IsLabel(last))
            {
                return false;
            }
        }

        return last.ContainsAnyExceptInRange('0', '9');
    }

    private static bool IsLabel(ReadOnlySpan<char> label)
    {
        if (label.Length is 0 or > LongestLabel || label[0] == '-' || label[^1] == '-')
        {
            return false;
        }

        foreach (char c in label)
        {
            if (!char.IsAsciiLetterOrDigit(c) && c is not ('-' or '_'))
            {
                return false;
            }
        }

        return true;
    }

    private static bool TryParsePort(ReadOnlySpan<char> text, out ushort port) =>
        ushort.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out port) && (text.Length == 1 || text[0] != '0');
}
