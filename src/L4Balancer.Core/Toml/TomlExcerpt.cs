using System.Buffers;
using System.Globalization;
using System.Text;

namespace L4Balancer.Core.Toml;

/// <summary>Text of the file for use in a message: short, on one line, without terminal control sequences.</summary>
internal static class TomlExcerpt
{
    private const int MaxRunes = 40;

    private static readonly SearchValues<char> BareCharacters =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-");

    /// <summary>Whether a key can be written without quotes.</summary>
    public static bool IsBare(ReadOnlySpan<char> name) => !name.IsEmpty && !name.ContainsAnyExcept(BareCharacters);

    /// <summary>The length of the bare key at the start of the text.</summary>
    public static int BareLength(ReadOnlySpan<char> text) =>
        text.IndexOfAnyExcept(BareCharacters) is >= 0 and int end ? end : text.Length;

    public static string Of(ReadOnlySpan<char> text)
    {
        StringBuilder shown = new("`");
        int runes = 0;
        while (!text.IsEmpty)
        {
            if (runes++ == MaxRunes)
            {
                shown.Append('…');
                break;
            }

            // Decoded text contains no lone surrogate, but a caller may have cut a pair.
            int length = Rune.DecodeFromUtf16(text, out Rune rune, out int used) == OperationStatus.Done ? used : 1;
            if (IsVisible(rune)) shown.Append(rune);
            else shown.Append(CultureInfo.InvariantCulture, $"<U+{rune.Value:X4}>");
            text = text[length..];
        }

        return shown.Append('`').ToString();
    }

    /// <summary>The text at a position, for "… is expected, found …".</summary>
    public static string At(string text, int offset)
    {
        if (offset >= text.Length) return "the end of the file";
        ReadOnlySpan<char> rest = text.AsSpan(offset);
        if (rest[0] == '\n' || rest.StartsWith("\r\n")) return "the end of the line";
        if (rest[0] == '#') return "a comment";
        return Of(rest[..(char.IsHighSurrogate(rest[0]) ? Math.Min(2, rest.Length) : 1)]);
    }

    /// <summary>A dotted key as it is written in TOML.</summary>
    public static string Of(IEnumerable<TomlKeyPart> key) =>
        Of(string.Join('.', key.Select(part => IsBare(part.Name) ? part.Name : $"\"{part.Name}\"")));

    private static bool IsVisible(Rune rune) => Rune.GetUnicodeCategory(rune) switch
    {
        UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator
            or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned => false,
        UnicodeCategory.SpaceSeparator => rune.Value == ' ',
        _ => true,
    };
}
