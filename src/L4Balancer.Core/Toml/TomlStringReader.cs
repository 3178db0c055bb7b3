using System.Text;

namespace L4Balancer.Core.Toml;

/// <summary>
/// The four kinds of strings. Each reader answers null after a mistake, which it has reported; the cursor then stands behind the
/// string as far as its end could be made out.
/// </summary>
internal sealed class TomlStringReader(TomlCursor cursor, TomlErrorList errors)
{
    private const string AllowedEscapes = @"allowed are \b \t \n \f \r \"" \\ \uXXXX \UXXXXXXXX, or a literal string in single quotes";

    // A closing delimiter may follow up to two quotation marks that belong to the string.
    private const int LongestQuoteRun = 5;

    private readonly StringBuilder _text = new();

    public string? ReadValue()
    {
        char quote = cursor.Current;
        return AtMultiLine(quote) ? ReadMultiLine(quote) : ReadSingleLine(quote);
    }

    public string? ReadKey()
    {
        char quote = cursor.Current;
        if (!AtMultiLine(quote)) return ReadSingleLine(quote);
        errors.AddSyntax(cursor.Position, "a multi-line string cannot be a key: use one quotation mark at each end");
        return null;
    }

    private bool AtMultiLine(char quote) => cursor.Peek(1) == quote && cursor.Peek(2) == quote;

    private string? ReadSingleLine(char quote)
    {
        TomlPosition open = cursor.Position;
        bool good = true;
        _text.Clear();
        cursor.Advance();
        while (!cursor.AtLineEnd)
        {
            if (cursor.TryTake(quote)) return good ? _text.ToString() : null;
            good &= cursor.Current == '\\' && quote == '"' ? TakeEscape() : TakeCharacter();
        }

        errors.AddSyntax(open, $"the string that begins here is not closed: {quote} is expected before the end of the line");
        return null;
    }

    private string? ReadMultiLine(char quote)
    {
        TomlPosition open = cursor.Position;
        bool good = true;
        _text.Clear();
        cursor.Advance(3);
        cursor.TryTakeNewline(); // The one right behind the opening is not part of the string.
        while (!cursor.AtEnd)
        {
            if (cursor.Current == quote)
            {
                int run = QuoteRun(quote);
                _text.Append(quote, run < 3 ? run : run - 3);
                cursor.Advance(run);
                if (run >= 3) return good ? _text.ToString() : null;
            }
            else if (cursor.Current == '\\' && quote == '"')
            {
                good &= TryTakeLineContinuation() || TakeEscape();
            }
            else
            {
                good &= TakeCharacter();
            }
        }

        errors.AddSyntax(open, $"the multi-line string that begins here is not closed: {new string(quote, 3)} is expected");
        return null;
    }

    private int QuoteRun(char quote)
    {
        int run = 0;
        while (run < LongestQuoteRun && cursor.Peek(run) == quote) run++;
        return run;
    }

    /// <summary>One character, or a line break as it is written: the single-line reader has looked for that before.</summary>
    private bool TakeCharacter()
    {
        bool good = cursor.AtNewline || !TomlBlankReader.IsForbidden(cursor.Current);
        if (!good)
        {
            errors.AddSyntax(
                cursor.Position,
                $"the control character {TomlExcerpt.Of(cursor)} cannot stand in a string: in double quotes write it as \\uXXXX");
        }

        if (cursor.AtNewline && cursor.Current == '\r')
        {
            _text.Append('\r');
            cursor.Advance();
        }

        _text.Append(cursor.Current);
        cursor.Advance();
        return good;
    }

    /// <summary>A backslash as the last of its line, perhaps before blanks, swallows all white space up to what follows.</summary>
    private bool TryTakeLineContinuation()
    {
        int blanks = 1;
        while (cursor.Peek(blanks) is ' ' or '\t') blanks++;
        if (cursor.Peek(blanks) != '\n' && (cursor.Peek(blanks) != '\r' || cursor.Peek(blanks + 1) != '\n')) return false;
        cursor.Advance(blanks);
        while (cursor.TryTakeNewline()) cursor.SkipBlank();
        return true;
    }

    private bool TakeEscape()
    {
        TomlPosition position = cursor.Position;
        cursor.Advance();
        if (cursor.AtLineEnd)
        {
            errors.AddSyntax(position, $"a backslash cannot end the line here: {AllowedEscapes}");
            return false;
        }

        char escape = cursor.Current;
        if (escape is 'u' or 'U') return TakeCodePoint(position);
        char character = escape switch
        {
            'b' => '\b',
            't' => '\t',
            'n' => '\n',
            'f' => '\f',
            'r' => '\r',
            '"' or '\\' => escape,
            _ => '\0',
        };
        if (character == '\0')
        {
            errors.AddSyntax(position, $"\\ and {TomlExcerpt.Of(cursor)} are no escape: {AllowedEscapes}");
            cursor.Advance();
            return false;
        }

        _text.Append(character);
        cursor.Advance();
        return true;
    }

    private bool TakeCodePoint(TomlPosition position)
    {
        char letter = cursor.Current;
        int digits = letter == 'u' ? 4 : 8;
        cursor.Advance();
        uint value = 0;
        for (int i = 0; i < digits; i++)
        {
            if (!char.IsAsciiHexDigit(cursor.Current))
            {
                errors.AddSyntax(position, $"\\{letter} takes {digits} hexadecimal digits, found {i}");
                return false;
            }

            value = (value << 4) | HexDigit(cursor.Current);
            cursor.Advance();
        }

        if (!Rune.IsValid(value))
        {
            errors.AddSyntax(position, $"U+{value:X4} is not a Unicode character: allowed are U+0000 to U+D7FF and U+E000 to U+10FFFF");
            return false;
        }

        _text.Append(new Rune(value));
        return true;
    }

    private static uint HexDigit(char digit) => (uint)(digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10);
}
