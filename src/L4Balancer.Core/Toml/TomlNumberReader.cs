using System.Globalization;

namespace L4Balancer.Core.Toml;

/// <summary>Integers of 64 bits and IEEE 754 floats of 64 bits.</summary>
internal static class TomlNumberReader
{
    /// <summary>Reads all of <paramref name="text"/>, or answers null and says in <paramref name="mistake"/> why not.</summary>
    public static TomlNode? Read(ReadOnlySpan<char> text, TomlPosition position, out string mistake)
    {
        mistake = "";
        bool signed = text[0] is '+' or '-';
        ReadOnlySpan<char> magnitude = signed ? text[1..] : text;
        if (magnitude is "inf") return new TomlFloat(position, text[0] == '-' ? double.NegativeInfinity : double.PositiveInfinity);
        if (magnitude is "nan") return new TomlFloat(position, double.NaN);
        if (magnitude.Length > 1 && magnitude[0] == '0' && magnitude[1] is 'x' or 'o' or 'b')
        {
            return ReadPrefixed(text, signed, position, out mistake);
        }

        int end = 0;
        if (!SkipDigits(magnitude, ref end, 10)) return Fail(text, "digits are expected", out mistake);
        if (end > 1 && magnitude[0] == '0') return Fail(text, "leading zeros are not allowed", out mistake);
        bool isFloat = false;
        if (end < magnitude.Length && magnitude[end] == '.')
        {
            end++;
            isFloat = true;
            if (!SkipDigits(magnitude, ref end, 10)) return Fail(text, "a decimal point needs digits on both sides", out mistake);
        }

        if (end < magnitude.Length && magnitude[end] is 'e' or 'E')
        {
            end++;
            isFloat = true;
            if (end < magnitude.Length && magnitude[end] is '+' or '-') end++;
            if (!SkipDigits(magnitude, ref end, 10)) return Fail(text, "an exponent needs digits", out mistake);
        }

        if (end < magnitude.Length)
        {
            return magnitude[end] == '_'
                ? Fail(text, "an underscore must stand between two digits", out mistake)
                : Fail(text, "only digits may follow; a string stands in quotes", out mistake);
        }

        string plain = text.ToString().Replace("_", "", StringComparison.Ordinal);
        if (isFloat) return new TomlFloat(position, double.Parse(plain, NumberStyles.Float, CultureInfo.InvariantCulture));
        return long.TryParse(plain, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long value)
            ? new TomlInteger(position, value)
            : FailRange(text, out mistake);
    }

    private static TomlInteger? ReadPrefixed(ReadOnlySpan<char> text, bool signed, TomlPosition position, out string mistake)
    {
        mistake = "";
        if (signed) return Fail(text, "a sign cannot stand before 0x, 0o or 0b", out mistake);
        ReadOnlySpan<char> digits = text[2..];
        uint radix = text[1] switch { 'x' => 16, 'o' => 8, _ => 2 };
        int end = 0;
        if (!SkipDigits(digits, ref end, radix) || end < digits.Length)
        {
            string allowed = radix switch { 16 => "0-9 a-f A-F", 8 => "0-7", _ => "0 and 1" };
            return Fail(text, $"digits {allowed} are allowed here, with single underscores between them", out mistake);
        }

        UInt128 value = 0;
        foreach (char digit in digits)
        {
            if (digit == '_') continue;
            value = (value * radix) + DigitValue(digit);
            if (value > long.MaxValue) return FailRange(text, out mistake);
        }

        return new TomlInteger(position, (long)value);
    }

    /// <summary>One or more digits; a single underscore may stand between two of them.</summary>
    private static bool SkipDigits(ReadOnlySpan<char> text, ref int index, uint radix)
    {
        int start = index;
        while (index < text.Length && DigitValue(text[index]) < radix)
        {
            index++;
            if (index + 1 < text.Length && text[index] == '_' && DigitValue(text[index + 1]) < radix) index++;
        }

        return index > start;
    }

    private static uint DigitValue(char digit) => digit switch
    {
        >= '0' and <= '9' => (uint)(digit - '0'),
        >= 'a' and <= 'f' => (uint)(digit - 'a' + 10),
        >= 'A' and <= 'F' => (uint)(digit - 'A' + 10),
        _ => uint.MaxValue,
    };

    private static TomlInteger? FailRange(ReadOnlySpan<char> text, out string mistake) =>
        Fail(text, $"an integer is {long.MinValue} to {long.MaxValue}", out mistake);

    private static TomlInteger? Fail(ReadOnlySpan<char> text, string reason, out string mistake)
    {
        mistake = $"{TomlExcerpt.Of(text)} is not a number: {reason}";
        return null;
    }
}
