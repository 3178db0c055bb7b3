using System.Globalization;
using System.Text;

namespace L4Balancer.Logging;

/// <summary>
/// Keeps one entry on one line, and escapes every control character that a peer or a file can put into a value, so that terminals are safe.
/// </summary>
internal static class LogText
{
    /// <summary>Times in logs: UTC, milliseconds, ISO 8601.</summary>
    public const string TimeFormat = "yyyy-MM-dd'T'HH:mm:ss.fff'Z'";

    public static string Time(DateTimeOffset time) => time.UtcDateTime.ToString(TimeFormat, CultureInfo.InvariantCulture);

    /// <summary>Free text: control characters are escaped, everything else is unchanged.</summary>
    public static string OneLine(string text)
    {
        int first = text.AsSpan().IndexOfAnyExceptInRange(' ', '~');
        if (first < 0)
        {
            return text;
        }

        var escaped = new StringBuilder(text.Length + 16);
        foreach (char c in text)
        {
            AppendEscaped(escaped, c);
        }

        return escaped.ToString();
    }

    /// <summary>The value of a <c>key=value</c>: bare if it is unambiguous, otherwise in quotes with escapes.</summary>
    public static void AppendValue(StringBuilder line, string value)
    {
        ReadOnlySpan<char> text = value;
        if (text is not ("" or "-") && !text.ContainsAnyExceptInRange('!', '~') && text.IndexOfAny("\"\\=") < 0)
        {
            line.Append(value);
            return;
        }

        line.Append('"');
        foreach (char c in value)
        {
            if (c is '"' or '\\')
            {
                line.Append('\\').Append(c);
            }
            else
            {
                AppendEscaped(line, c);
            }
        }

        line.Append('"');
    }

    // Some readers treat U+2028 and U+2029 as line ends; lone surrogates are not valid text.
    private static void AppendEscaped(StringBuilder line, char c)
    {
        switch (c)
        {
            case '\n':
                line.Append(@"\n");
                break;
            case '\r':
                line.Append(@"\r");
                break;
            case '\t':
                line.Append(@"\t");
                break;
            case < ' ' or '\x7F':
                line.Append(CultureInfo.InvariantCulture, $@"\x{(int)c:X2}");
                break;
            case '\u2028' or '\u2029':
            case >= '\x80' and <= '\x9F':
                line.Append(CultureInfo.InvariantCulture, $@"\u{(int)c:X4}");
                break;
            default:
                line.Append(c);
                break;
        }
    }
}
