using System.Buffers;

namespace L4Balancer.Core.Toml;

/// <summary>Values that are one word: booleans, numbers, dates and times.</summary>
internal sealed class TomlWordReader(TomlCursor cursor, TomlErrorList errors)
{
    // A word runs up to one of these, or a control character.
    private static readonly SearchValues<char> Terminators = SearchValues.Create(
        " \t,]}#=\"'[{\x7F" + string.Concat(Enumerable.Range(0, ' ').Select(code => (char)code)));

    /// <summary>The value at the cursor, or null: then the mistake is reported, and the cursor stands behind the word.</summary>
    public TomlNode? Read()
    {
        TomlPosition position = cursor.Position;
        ReadOnlySpan<char> rest = cursor.Rest;
        ReadOnlySpan<char> word = rest[..WordLength(rest)];
        if (word.IsEmpty)
        {
            errors.AddSyntax(position, $"a value is expected, found {TomlExcerpt.Of(cursor)}");
            return null;
        }

        // The one value with a blank in it: a date, a blank, a time.
        int next = word.Length + 1;
        if (TomlDateReader.IsDate(word) && rest.Length > next && rest[next - 1] == ' ' && char.IsAsciiDigit(rest[next]))
        {
            word = rest[..(next + WordLength(rest[next..]))];
        }

        TomlNode? value = Parse(word, position, out string mistake);
        cursor.Advance(word.Length);
        if (value is null) errors.AddSyntax(position, mistake);
        return value;
    }

    private static TomlNode? Parse(ReadOnlySpan<char> word, TomlPosition position, out string mistake)
    {
        mistake = "";
        if (word is "true" or "false") return new TomlBoolean(position, word is "true");
        if (TomlDateReader.Resembles(word)) return TomlDateReader.Read(word, position, out mistake);
        if (word[0] is '+' or '-' or '.' || char.IsAsciiDigit(word[0]) || word is "inf" or "nan")
        {
            return TomlNumberReader.Read(word, position, out mistake);
        }

        mistake = $"{TomlExcerpt.Of(word)} is not a value: strings stand in quotes; true, false, inf and nan are in lower case";
        return null;
    }

    private static int WordLength(ReadOnlySpan<char> text) => text.IndexOfAny(Terminators) is >= 0 and int end ? end : text.Length;
}
