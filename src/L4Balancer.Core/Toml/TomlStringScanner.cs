using System.Globalization;
using System.Text;

namespace L4Balancer.Core.Toml;

/// <summary>Finds the end of a string in a text with mistakes, and the mistakes inside.</summary>
internal sealed class TomlStringScanner(string text)
{
    private const string AllowedEscapes =
        @"allowed are \b \t \n \f \r \e \"" \\ \xXX \uXXXX \UXXXXXXXX, or a literal string in single quotes";

    /// <summary>Control characters other than tab and the line break, LF or CR LF, are not allowed anywhere.</summary>
    public static bool IsForbidden(string text, int at) =>
        text[at] is (< ' ' and not '\t' and not '\n') or '\x7F' && !(text[at] == '\r' && at + 1 < text.Length && text[at + 1] == '\n');

    /// <returns>The offset after the string; the end of its line, or of the text, if it is not closed.</returns>
    public int Scan(int start, bool mayBeMultiLine, List<TomlMistake> mistakes)
    {
        char quote = text[start];
        string delimiter = new(quote, 3);
        bool isMultiLine = mayBeMultiLine && text.AsSpan(start).StartsWith(delimiter);
        int first = mistakes.Count;
        int at = start + (isMultiLine ? 3 : 1);
        bool isClosed = false;
        while (at < text.Length && !isClosed)
        {
            char c = text[at];
            if (c == '\n' && !isMultiLine) break;
            if (c == quote)
            {
                isClosed = !isMultiLine || text.AsSpan(at).StartsWith(delimiter);
                at += isClosed && isMultiLine ? 3 : 1;

                // Up to two quotation marks before the closing three belong to the string.
                for (int more = 0; isClosed && isMultiLine && more < 2 && at < text.Length && text[at] == quote; more++) at++;
            }
            else if (c == '\\' && quote == '"')
            {
                at += PassEscape(at, isMultiLine, mistakes);
            }
            else
            {
                if (IsForbidden(text, at))
                {
                    Add(at, $"the control character {TomlExcerpt.At(text, at)} is not allowed in a string: in double quotes write it as \\uXXXX");
                }

                at++;
            }
        }

        if (!isClosed)
        {
            if (!isMultiLine && text[at - 1] == '\r') at--;
            Add(start, isMultiLine
                ? $"the multi-line string that begins here is not closed: {delimiter} is expected"
                : $"the string that begins here is not closed: {quote} is expected before the end of the line");
        }

        for (int i = first; i < mistakes.Count; i++) mistakes[i] = mistakes[i] with { LeftOutStart = start, LeftOutLength = at - start };
        return at;

        void Add(int offset, string message)
        {
            if (mistakes.Count < TomlReader.MaxErrors) mistakes.Add(new TomlMistake(offset, message));
        }
    }

    /// <returns>The length of the escape; of an invalid one the backslash and what could be read after it.</returns>
    private int PassEscape(int at, bool isMultiLine, List<TomlMistake> mistakes)
    {
        ReadOnlySpan<char> rest = text.AsSpan(at + 1);
        ReadOnlySpan<char> unblank = rest.TrimStart(" \t");
        bool endsLine = unblank.IsEmpty || unblank[0] == '\n' || unblank.StartsWith("\r\n");
        if (endsLine && isMultiLine) return 1 + rest.Length - unblank.Length;
        if (endsLine && rest.Length == unblank.Length) return Fail($"a backslash cannot end the line here: {AllowedEscapes}", 1);

        int digits = rest[0] switch { 'x' => 2, 'u' => 4, 'U' => 8, _ => 0 };
        if (digits == 0)
        {
            return "btnfre\"\\".Contains(rest[0]) ? 2 : Fail($"\\ and {TomlExcerpt.At(text, at + 1)} are not an escape sequence: {AllowedEscapes}", 2);
        }

        int found = 0;
        while (found < digits && 1 + found < rest.Length && char.IsAsciiHexDigit(rest[1 + found])) found++;
        if (found < digits) return Fail($"\\{rest[0]} takes {digits} hexadecimal digits, found {found}", 2 + found);
        uint value = uint.Parse(rest.Slice(1, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
        return Rune.IsValid(value)
            ? 2 + digits
            : Fail($"U+{value:X4} is not a Unicode character: allowed are U+0000 to U+D7FF and U+E000 to U+10FFFF", 2 + digits);

        int Fail(string message, int length)
        {
            if (mistakes.Count < TomlReader.MaxErrors) mistakes.Add(new TomlMistake(at, message));
            return length;
        }
    }
}
