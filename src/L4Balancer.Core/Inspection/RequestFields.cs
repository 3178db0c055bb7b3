using System.Text;

namespace L4Balancer.Core.Inspection;

/// <summary>
/// The values of the fields of one name in the header section of a request (RFC 9112, 5), without surrounding white space.
/// </summary>
/// <param name="fields">Complete lines, each without <see cref="Fault"/>.</param>
internal ref struct RequestFields(ReadOnlySpan<byte> fields, ReadOnlySpan<byte> name)
{
    private readonly ReadOnlySpan<byte> _name = name;
    private ReadOnlySpan<byte> _rest = fields;
    private ReadOnlySpan<byte> _current;

    public readonly ReadOnlySpan<byte> Current => _current;

    public readonly RequestFields GetEnumerator() => this;

    public bool MoveNext()
    {
        while (!_rest.IsEmpty)
        {
            int end = _rest.IndexOf((byte)'\n');
            ReadOnlySpan<byte> line = WithoutReturn(_rest[..end]);
            _rest = _rest[(end + 1)..];
            if (IsNamed(line, _name, out _current))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>What is wrong with a field line, or null.</summary>
    /// <param name="line">Not empty, without its line end.</param>
    public static string? Fault(ReadOnlySpan<byte> line)
    {
        if (line[0] is (byte)' ' or (byte)'\t')
        {
            return "an HTTP field is folded, or there is white space before the first one";
        }

        int colon = line.IndexOf((byte)':');
        if (colon <= 0 || line[..colon].ContainsAnyExcept(RequestLine.Token))
        {
            return "an HTTP field has no name, or a name that is none";
        }

        // "Field values containing CR, LF, or NUL characters are invalid and dangerous" (RFC 9110, 5.5).
        return line.ContainsAny((byte)0, (byte)'\r') ? "an HTTP field contains NUL or CR" : null;
    }

    public static bool IsNamed(ReadOnlySpan<byte> line, ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value)
    {
        bool isNamed = line.Length > name.Length && line[name.Length] == (byte)':' && Ascii.EqualsIgnoreCase(line[..name.Length], name);
        value = isNamed ? line[(name.Length + 1)..].Trim(" \t"u8) : default;
        return isNamed;
    }

    public static ReadOnlySpan<byte> WithoutReturn(ReadOnlySpan<byte> line) => line is [.. var text, (byte)'\r'] ? text : line;
}
