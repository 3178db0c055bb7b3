using System.Text;

namespace L4Balancer.Core.Inspection;

/// <summary>
/// A path of a route (<c>path</c>): exact, or a prefix that ends in "*". Compared case-sensitively in the normal form of
/// <see cref="PercentEncoding.NormalizePath"/>. Immutable; any thread.
/// </summary>
public sealed class PathPattern
{
    private readonly byte[] _text;
    private readonly bool _isPrefix;

    private PathPattern(byte[] text, bool isPrefix)
    {
        _text = text;
        _isPrefix = isPrefix;
    }

    /// <summary>
    /// Accepts text that begins with "/", and has "*" at most as its last character. Characters beyond ASCII are encoded, as clients do it.
    /// A query, a fragment, spaces and controls are no part of a path.
    /// </summary>
    /// <returns>Null if it is no pattern.</returns>
    public static PathPattern? Parse(string? text)
    {
        bool isPrefix = text?.EndsWith('*') ?? false;
        string path = isPrefix ? text![..^1] : text ?? "";
        if (!path.StartsWith('/') || path.AsSpan().ContainsAny("*?#") || path.Any(static c => c <= ' ' || c == '\x7F'))
        {
            return null;
        }

        byte[] encoded = [.. Encoding.UTF8.GetBytes(path).SelectMany(Encode)];
        return new PathPattern(PercentEncoding.NormalizePath(encoded, new byte[encoded.Length]).ToArray(), isPrefix);
    }

    /// <param name="path">In the normal form; empty (no path) matches nothing.</param>
    public bool Matches(ReadOnlySpan<byte> path) => _isPrefix ? path.StartsWith(_text) : path.SequenceEqual(_text);

    public override string ToString() => Encoding.ASCII.GetString(_text) + (_isPrefix ? "*" : "");

    private static byte[] Encode(byte value) => value < 0x80
        ? [value]
        : [(byte)'%', PercentEncoding.HexDigit(value >> 4), PercentEncoding.HexDigit(value & 0x0F)];
}
