using System.Buffers;
using System.Text;
using System.Text.Unicode;

namespace L4Balancer.Core.Toml;

/// <summary>Decodes bytes to text. Invalid UTF-8 is an error and becomes U+FFFD in the text, so that reading can continue.</summary>
internal static class TomlText
{
    /// <summary>Ten thousand backends with every key take three megabytes. See also <see cref="TomlWeight"/>.</summary>
    public const int MaxBytes = 8 << 20;

    private static ReadOnlySpan<byte> ByteOrderMark => [0xEF, 0xBB, 0xBF];

    public static string Decode(ReadOnlySpan<byte> utf8, TomlErrorList errors)
    {
        if (utf8.Length > MaxBytes)
        {
            errors.AddFatal(new TomlPosition(1, 1), $"the text has {utf8.Length} bytes: at most {MaxBytes} are read");
            return "";
        }

        if (TomlWeight.FindExcess(utf8) is { } position)
        {
            errors.AddFatal(position, $"the text has more than {TomlWeight.Most} line ends, brackets, commas and other signs up to here: "
                + "that is the maximum, and nothing is read");
            return "";
        }

        if (utf8.Length >= 2 && ((utf8[0] == 0xFF && utf8[1] == 0xFE) || (utf8[0] == 0xFE && utf8[1] == 0xFF)))
        {
            errors.AddFatal(new TomlPosition(1, 1), "the text is UTF-16: save it as UTF-8");
            return "";
        }

        // A byte order mark is allowed at the very start, and does not count as a column there, because editors do not show it.
        if (utf8.StartsWith(ByteOrderMark)) utf8 = utf8[ByteOrderMark.Length..];
        return Utf8.IsValid(utf8) ? Encoding.UTF8.GetString(utf8) : DecodeBroken(utf8, errors);
    }

    private static string DecodeBroken(ReadOnlySpan<byte> utf8, TomlErrorList errors)
    {
        StringBuilder text = new(utf8.Length);
        int line = 1;
        int column = 1;
        while (!utf8.IsEmpty)
        {
            if (Rune.DecodeFromUtf8(utf8, out Rune rune, out int length) != OperationStatus.Done)
            {
                errors.AddSyntax(new TomlPosition(line, column), $"byte 0x{utf8[0]:X2} is not valid UTF-8 here: the text must be UTF-8");
            }

            text.Append(rune);
            column++;
            if (rune.Value == '\n')
            {
                line++;
                column = 1;
            }

            utf8 = utf8[length..];
        }

        return text.ToString();
    }
}
