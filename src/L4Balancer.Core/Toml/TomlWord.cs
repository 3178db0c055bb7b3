using System.Buffers;

namespace L4Balancer.Core.Toml;

/// <summary>
/// Values of one word, numbers and dates: finds where they begin and end, and describes the mistake in one that Tomlyn rejects.
/// </summary>
internal static class TomlWord
{
    // A word ends before one of these or a control character.
    private static readonly SearchValues<char> Terminators = SearchValues.Create(
        " \t,]}#=\"'[{\x7F" + string.Concat(Enumerable.Range(0, ' ').Select(code => (char)code)));

    /// <summary>The word at an offset; empty if there is none.</summary>
    public static Range Around(string text, int offset)
    {
        int start = text.AsSpan(0, offset).LastIndexOfAny(Terminators) + 1;
        int end = EndOf(text, offset);

        // The only value that contains a blank: a date, a blank, a time.
        if (start >= 11 && HasShape(text.AsSpan(start - 11), "0000-00-00 0")) start -= 11;
        if (end - start == 10 && HasShape(text.AsSpan(start), "0000-00-00") && HasShape(text.AsSpan(end), " 0")) end = EndOf(text, end + 1);
        return start..end;
    }

    public static string Mistake(ReadOnlySpan<char> word)
    {
        if (char.IsAsciiDigit(word[0]) && (word.Contains(':') || (word.IndexOf('-') is > 0 and int dash && char.IsAsciiDigit(word[dash - 1]))))
        {
            return DateMistake(word);
        }

        return word[0] is '+' or '-' or '.' || char.IsAsciiDigit(word[0])
            ? $"{TomlExcerpt.Of(word)} is not a number: {NumberMistake(word)}"
            : $"{TomlExcerpt.Of(word)} is not a value: strings must be quoted; true, false, inf and nan are written in lower case";
    }

    public static string OutOfRange(ReadOnlySpan<char> word) => $"{TomlExcerpt.Of(word)} is not a number: {Range}";

    private static string Range => $"an integer is {long.MinValue} to {long.MaxValue}";

    private static string NumberMistake(ReadOnlySpan<char> word)
    {
        ReadOnlySpan<char> body = word[0] is '+' or '-' ? word[1..] : word;
        if (body.Length > 1 && body[0] == '0' && body[1] is 'x' or 'o' or 'b')
        {
            (string allowed, string digits) = body[1] switch
            {
                'x' => ("0-9 a-f A-F", "0123456789abcdefABCDEF_"),
                'o' => ("0-7", "01234567_"),
                _ => ("0 and 1", "01_"),
            };
            return body.Length < word.Length ? "a sign is not allowed before 0x, 0o or 0b"
                : body.Length > 2 && !body[2..].ContainsAnyExcept(digits) && HasGoodUnderscores(body[2..]) ? Range
                : $"digits {allowed} are allowed here, with single underscores between them";
        }

        string plain = body.ToString().Replace("_", "", StringComparison.Ordinal);
        int digitCount = plain.AsSpan().IndexOfAnyExceptInRange('0', '9') is >= 0 and int other ? other : plain.Length;
        int dot = plain.IndexOf('.', StringComparison.Ordinal);
        return body.IsEmpty ? "digits are expected"
            : !HasGoodUnderscores(body) ? "an underscore must be between two digits"
            : digitCount > 1 && plain[0] == '0' ? "leading zeros are not allowed"
            : dot >= 0 && !(IsDigit(plain, dot - 1) && IsDigit(plain, dot + 1)) ? "a decimal point needs digits on both sides"
            : digitCount == plain.Length ? Range
            : plain[^1] is 'e' or 'E' || plain.EndsWith("e+", StringComparison.OrdinalIgnoreCase)
                || plain.EndsWith("e-", StringComparison.OrdinalIgnoreCase) ? "an exponent needs digits"
            : "only digits may follow; a string must be quoted";
    }

    private static string DateMistake(ReadOnlySpan<char> word)
    {
        string unknown = $"{TomlExcerpt.Of(word)} is not a date or time: allowed are 1979-05-27, 07:32:00, 1979-05-27T07:32:00 and "
            + "1979-05-27T07:32:00Z or +02:00; seconds may have a fraction of up to seven digits";
        ReadOnlySpan<char> time = word;
        bool hasDate = HasShape(word, "0000-00-00");
        if (hasDate)
        {
            int year = (Two(word) * 100) + Two(word[2..]);
            int month = Two(word[5..]);
            int day = Two(word[8..]);
            if (year == 0) return "year 0000 is not supported: 0001 to 9999 are allowed";
            if (month is 0 or > 12) return $"there is no month {month:00}: 01 to 12 are allowed";
            int days = DateTime.DaysInMonth(year, month);
            if (day == 0 || day > days) return $"there is no day {day:00} in {year:0000}-{month:00}: 01 to {days} are allowed";
            if (word.Length < 12 || word[10] is not ('T' or 't' or ' ')) return unknown;
            time = word[11..];
        }

        if (!HasShape(time, "00:00")) return unknown;
        if (Two(time) > 23) return $"there is no hour {Two(time)}: 00 to 23 are allowed";
        if (Two(time[3..]) > 59) return $"there is no minute {Two(time[3..])}: 00 to 59 are allowed";
        ReadOnlySpan<char> rest = time[5..];
        if (HasShape(rest, ":00"))
        {
            if (Two(rest[1..]) == 60) return "leap seconds are not supported: 00 to 59 are allowed";
            if (Two(rest[1..]) > 59) return $"there is no second {Two(rest[1..])}: 00 to 59 are allowed";
            rest = rest[3..];
            if (rest.StartsWith('.'))
            {
                int digits = rest[1..].IndexOfAnyExceptInRange('0', '9') is >= 0 and int end ? end : rest.Length - 1;
                if (digits is 0 or > 7) return $"{TomlExcerpt.Of(word)} is not a time: one to seven digits are expected after the decimal point";
                rest = rest[(digits + 1)..];
            }
        }

        if (!hasDate || rest.IsEmpty) return unknown;
        bool isOffset = rest is "Z" or "z"
            || (rest.Length == 6 && rest[0] is '+' or '-' && HasShape(rest[1..], "00:00") && (Two(rest[1..]) * 60) + Two(rest[4..]) <= 14 * 60);
        return isOffset
            ? "this instant is outside the years 0001 to 9999 in UTC"
            : $"{TomlExcerpt.Of(rest)} is not an offset: allowed are Z and +00:00 or -00:00 up to 14:00";
    }

    private static int EndOf(string text, int offset) =>
        text.AsSpan(offset).IndexOfAny(Terminators) is >= 0 and int length ? offset + length : text.Length;

    private static bool HasGoodUnderscores(ReadOnlySpan<char> text)
    {
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] == '_' && (i == 0 || i + 1 == text.Length || !char.IsAsciiHexDigit(text[i - 1]) || !char.IsAsciiHexDigit(text[i + 1])))
            {
                return false;
            }
        }

        return true;
    }

    private static bool HasShape(ReadOnlySpan<char> text, string shape)
    {
        if (text.Length < shape.Length) return false;
        for (int i = 0; i < shape.Length; i++)
        {
            if (shape[i] == '0' ? !char.IsAsciiDigit(text[i]) : text[i] != shape[i]) return false;
        }

        return true;
    }

    private static bool IsDigit(string text, int index) => index >= 0 && index < text.Length && char.IsAsciiDigit(text[index]);

    private static int Two(ReadOnlySpan<char> text) => ((text[0] - '0') * 10) + text[1] - '0';
}
