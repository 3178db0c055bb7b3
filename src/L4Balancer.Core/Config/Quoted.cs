using System.Globalization;
using System.Text;

namespace L4Balancer.Core.Config;

/// <summary>Formats text that comes from outside (the file, a store) for a message: quoted, on one line, without control characters, and limited in length.</summary>
public static class Quoted
{
    private const int Longest = 80;

    public static string Text(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        StringBuilder quoted = new("\"");
        foreach (Rune rune in text.EnumerateRunes())
        {
            if (quoted.Length > Longest)
            {
                quoted.Append('…');
                break;
            }

            _ = IsPlain(rune) ? quoted.Append(rune) : Escape(quoted, rune);
        }

        return quoted.Append('"').ToString();
    }

    /// <summary>A segment of a dotted key: bare if TOML allows it (A-Z a-z 0-9 _ -), else quoted.</summary>
    internal static string Key(string key) =>
        key.Length is > 0 and <= Longest && key.All(static c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-') ? key : Text(key);

    private static bool IsPlain(Rune rune) =>
        rune.Value is not ('"' or '\\')
        && Rune.GetUnicodeCategory(rune) is not (UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator
            or UnicodeCategory.ParagraphSeparator);

    private static StringBuilder Escape(StringBuilder quoted, Rune rune) => rune.Value switch
    {
        '"' => quoted.Append("\\\""),
        '\\' => quoted.Append("\\\\"),
        '\n' => quoted.Append("\\n"),
        '\t' => quoted.Append("\\t"),
        _ => quoted.Append(CultureInfo.InvariantCulture, $"\\U{rune.Value:X8}"),
    };
}
