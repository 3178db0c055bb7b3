using System.Text;

namespace L4Balancer.Core.Http;

/// <summary>
/// Status line and header fields of an HTTP/1 response (RFC 9112, 4 and 5), parsed without copying. A single LF is accepted as a line
/// end, as RFC 9112, 2.2 allows; folded fields are rejected because they are obsolete (5.2).
/// </summary>
public readonly ref struct ResponseHead
{
    /// <summary>Maximum length in bytes; longer heads are rejected.</summary>
    public const int LongestHead = 16 * 1024;

    // "HTTP/1.1 200"
    private const int StatusEnd = 12;

    private readonly ReadOnlySpan<byte> _fields;

    private ResponseHead(int status, int length, ReadOnlySpan<byte> fields)
    {
        Status = status;
        Length = length;
        _fields = fields;
    }

    /// <summary>100 to 999.</summary>
    public int Status { get; }

    /// <summary>Length in bytes, including the empty line.</summary>
    public int Length { get; }

    public static ParseResult TryParse(ReadOnlySpan<byte> bytes, out ResponseHead head)
    {
        head = default;
        if (!BeginsAsResponse(bytes))
        {
            return ParseResult.Invalid;
        }

        int fieldsAt = -1;
        for (int at = 0; at < bytes.Length;)
        {
            int end = bytes[at..].IndexOf((byte)'\n');
            if (end < 0 || at + end >= LongestHead)
            {
                break;
            }

            ReadOnlySpan<byte> line = WithoutReturn(bytes.Slice(at, end));
            int next = at + end + 1;
            if (fieldsAt < 0)
            {
                if (line.Length < StatusEnd)
                {
                    return ParseResult.Invalid;
                }

                fieldsAt = next;
            }
            else if (line.IsEmpty)
            {
                head = new ResponseHead(StatusOf(bytes), next, bytes[fieldsAt..at]);
                return ParseResult.Parsed;
            }
            else if (!IsField(line))
            {
                return ParseResult.Invalid;
            }

            at = next;
        }

        return bytes.Length >= LongestHead ? ParseResult.Invalid : ParseResult.NeedMore;
    }

    /// <summary>
    /// Whether a field of this name contains this word, alone or in a comma-separated list (RFC 9110, 5.6.1); case-insensitive.
    /// </summary>
    public bool Says(string name, string word)
    {
        foreach (ReadOnlySpan<byte> value in new Values(_fields, name))
        {
            foreach (Range part in value.Split((byte)','))
            {
                if (Ascii.EqualsIgnoreCase(value[part].Trim(" \t"u8), word))
                {
                    return true;
                }
            }
        }

        return false;
    }

    /// <summary>Whether there is exactly one field of this name, with exactly this value.</summary>
    public bool Is(string name, ReadOnlySpan<byte> wanted)
    {
        int count = 0;
        bool same = false;
        foreach (ReadOnlySpan<byte> value in new Values(_fields, name))
        {
            count++;
            same = value.SequenceEqual(wanted);
        }

        return count == 1 && same;
    }

    // Checks the bytes received so far: a server of another protocol is recognised by its first bytes, even if it never ends a line.
    private static bool BeginsAsResponse(ReadOnlySpan<byte> bytes)
    {
        ReadOnlySpan<byte> form = "HTTP/1.0 000"u8;
        for (int i = 0; i < form.Length && i < bytes.Length; i++)
        {
            bool fits = form[i] == (byte)'0' ? char.IsAsciiDigit((char)bytes[i]) : bytes[i] == form[i];
            if (!fits)
            {
                return false;
            }
        }

        return (bytes.Length < StatusEnd || StatusOf(bytes) >= 100)
            && (bytes.Length <= StatusEnd || bytes[StatusEnd] is (byte)' ' or (byte)'\r' or (byte)'\n');
    }

    private static int StatusOf(ReadOnlySpan<byte> bytes) =>
        (100 * (bytes[StatusEnd - 3] - '0')) + (10 * (bytes[StatusEnd - 2] - '0')) + (bytes[StatusEnd - 1] - '0');

    private static bool IsField(ReadOnlySpan<byte> line)
    {
        int colon = line.IndexOf((byte)':');
        return colon > 0 && !line[..colon].ContainsAny(" \t"u8) && !line.Contains((byte)0);
    }

    private static ReadOnlySpan<byte> WithoutReturn(ReadOnlySpan<byte> line) => line is [.. var text, (byte)'\r'] ? text : line;

    /// <summary>The values of the fields of one name, without surrounding white space.</summary>
    private ref struct Values(ReadOnlySpan<byte> fields, string name)
    {
        private ReadOnlySpan<byte> _rest = fields;

        public ReadOnlySpan<byte> Current { get; private set; }

        public readonly Values GetEnumerator() => this;

        public bool MoveNext()
        {
            while (!_rest.IsEmpty)
            {
                int end = _rest.IndexOf((byte)'\n');
                ReadOnlySpan<byte> line = WithoutReturn(_rest[..end]);
                _rest = _rest[(end + 1)..];
                int colon = line.IndexOf((byte)':');
                if (Ascii.EqualsIgnoreCase(line[..colon], name))
                {
                    Current = line[(colon + 1)..].Trim(" \t"u8);
                    return true;
                }
            }

            return false;
        }
    }
}
