using System.Buffers;
using System.Globalization;
using System.Text;

namespace L4Balancer.Logging;

/// <summary>
/// Keeps one entry on one line, and escapes every control and format character that a peer or a file can put into a value, so that terminals are safe.
/// </summary>
internal static class LogText
{
    /// <summary>Times in logs: UTC, milliseconds, ISO 8601.</summary>
    public const string TimeFormat = "yyyy-MM-dd'T'HH:mm:ss.fff'Z'";

    /// <summary>Characters of values that need no quotes: visible ASCII without the quote, the backslash and the equals sign.</summary>
    private static readonly SearchValues<char> Bare = SearchValues.Create(
        [.. Enumerable.Range('!', '~' - '!' + 1).Select(static c => (char)c).Except("\"\\=")]);

    public static string Time(DateTimeOffset time) => time.UtcDateTime.ToString(TimeFormat, CultureInfo.InvariantCulture);

    /// <summary>
    /// Whether a character can control a terminal, end a line, or change how the text around it is shown: control characters, and format characters
    /// such as U+202E, which reverses the direction of what follows it (Unicode Standard Annex 9).
    /// </summary>
    public static bool IsHidden(Rune rune) => Rune.GetUnicodeCategory(rune) is UnicodeCategory.Control or UnicodeCategory.Format
        or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator;

    /// <summary>Text of a peer for a terminal: such characters become question marks.</summary>
    public static string ForTerminal(string text)
    {
        if (!text.AsSpan().ContainsAnyExceptInRange(' ', '~'))
        {
            return text;
        }

        var shown = new StringBuilder(text.Length);
        foreach (Rune rune in text.EnumerateRunes())
        {
            shown.Append(IsHidden(rune) ? (Rune)'?' : rune);
        }

        return shown.ToString();
    }

    /// <summary>Valid JSON with such characters escaped; line ends between its values stay.</summary>
    public static string Json(string json)
    {
        if (!json.AsSpan().ContainsAnyExceptInRange('\0', '~'))
        {
            return json;
        }

        Span<char> units = stackalloc char[2];
        var escaped = new StringBuilder(json.Length + 16);
        foreach (Rune rune in json.EnumerateRunes())
        {
            if (rune.Value <= '~' || !IsHidden(rune))
            {
                escaped.Append(rune);
                continue;
            }

            foreach (char unit in units[..rune.EncodeToUtf16(units)])
            {
                escaped.Append(CultureInfo.InvariantCulture, $@"\u{(int)unit:X4}");
            }
        }

        return escaped.ToString();
    }

    /// <summary>Free text: control and format characters are escaped, everything else is unchanged.</summary>
    public static string OneLine(string text)
    {
        int first = text.AsSpan().IndexOfAnyExceptInRange(' ', '~');
        if (first < 0)
        {
            return text;
        }

        var escaped = new StringBuilder(text.Length + 16);
        foreach (Rune rune in text.EnumerateRunes())
        {
            AppendEscaped(escaped, rune);
        }

        return escaped.ToString();
    }

    /// <summary>The value of a <c>key=value</c>: bare if it is unambiguous, otherwise in quotes with escapes.</summary>
    public static void AppendValue(LineBuffer line, string value)
    {
        ReadOnlySpan<char> text = value;
        if (text is not ("" or "-") && !text.ContainsAnyExcept(Bare))
        {
            line.Append(text);
            return;
        }

        var quoted = new StringBuilder(value.Length + 16);
        quoted.Append('"');
        foreach (Rune rune in value.EnumerateRunes())
        {
            if (rune.Value is '"' or '\\')
            {
                quoted.Append('\\').Append(rune);
            }
            else
            {
                AppendEscaped(quoted, rune);
            }
        }

        line.Append(quoted.Append('"').ToString());
    }

    // Some readers treat U+2028 and U+2029 as line ends. A lone surrogate has become U+FFFD.
    private static void AppendEscaped(StringBuilder line, Rune rune)
    {
        switch (rune.Value)
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
                line.Append(CultureInfo.InvariantCulture, $@"\x{rune.Value:X2}");
                break;
            case int value when !rune.IsAscii && IsHidden(rune):
                line.Append(rune.IsBmp ? @"\u" : @"\U").Append(value.ToString(rune.IsBmp ? "X4" : "X8", CultureInfo.InvariantCulture));
                break;
            default:
                line.Append(rune);
                break;
        }
    }
}
