using System.Collections.Frozen;
using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace L4Balancer.Core.Inspection;

/// <summary>
/// The host names of one route (<c>sni</c>, <c>host</c>): exact names, and names with one leading "*." that stands for one or more labels.
/// A look-up costs one hash for each label of the name, however many patterns there are. Immutable; any thread; allocates nothing.
/// </summary>
public sealed class NamePatterns
{
    private const string Wildcard = "*.";

    private readonly FrozenSet<string>.AlternateLookup<ReadOnlySpan<char>> _exact;
    private readonly FrozenSet<string>.AlternateLookup<ReadOnlySpan<char>> _suffixes;

    /// <param name="patterns">As <see cref="TryParse"/> returns them.</param>
    public NamePatterns(IEnumerable<string> patterns)
    {
        ILookup<bool, string> byKind = patterns.ToLookup(static p => p.StartsWith(Wildcard, StringComparison.Ordinal));
        _exact = byKind[false].ToFrozenSet(StringComparer.Ordinal).GetAlternateLookup<ReadOnlySpan<char>>();
        _suffixes = byKind[true].Select(static p => p[Wildcard.Length..]).ToFrozenSet(StringComparer.Ordinal)
            .GetAlternateLookup<ReadOnlySpan<char>>();
    }

    /// <summary>Whether there is no pattern: then the route does not ask for a name.</summary>
    public bool IsEmpty => _exact.Set.Count == 0 && _suffixes.Set.Count == 0;

    /// <summary>
    /// Accepts a host name in ASCII, or "*." and a host name; in lower case and without a trailing dot it is the pattern.
    /// </summary>
    public static bool TryParse(string? text, [NotNullWhen(true)] out string? pattern)
    {
        pattern = null;
        bool isWildcard = text?.StartsWith(Wildcard, StringComparison.Ordinal) ?? false;
        string name = isWildcard ? text![Wildcard.Length..] : text ?? "";
        name = name.EndsWith('.') ? name[..^1] : name;
        if (name.Length is 0 or > ServerNames.Longest || !name.Split('.').All(IsLabel)
            || AddressParser.IsAddress(Encoding.ASCII.GetBytes(name)))
        {
            return false;
        }

        pattern = (isWildcard ? Wildcard : "") + name.ToLowerInvariant();
        return true;
    }

    /// <param name="name">
    /// <see cref="ClientHello.ServerName"/> or <see cref="RequestHead.Host"/>; its case does not matter. An empty one matches nothing.
    /// </param>
    public bool Matches(ReadOnlySpan<byte> name)
    {
        if (name.Length is 0 or > ServerNames.Longest)
        {
            return false;
        }

        Span<char> buffer = stackalloc char[ServerNames.Longest];
        for (int i = 0; i < name.Length; i++)
        {
            buffer[i] = char.IsAsciiLetterUpper((char)name[i]) ? (char)(name[i] | 0x20) : (char)name[i];
        }

        ReadOnlySpan<char> rest = buffer[..name.Length];
        if (_exact.Contains(rest))
        {
            return true;
        }

        // "*.example.com" fits "a.example.com" and "a.b.example.com", neither "example.com" nor ".example.com".
        for (int dot = rest.IndexOf('.'); dot > 0; dot = rest.IndexOf('.'))
        {
            rest = rest[(dot + 1)..];
            if (_suffixes.Contains(rest))
            {
                return true;
            }
        }

        return false;
    }

    // As in host names of backends: underscores are used, though RFC 1123, 2.1 does not allow them.
    private static bool IsLabel(string label) =>
        label.Length is > 0 and <= 63 && label.All(static c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_');
}
