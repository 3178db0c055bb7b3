using System.Buffers;

namespace L4Balancer.Core.Toml;

/// <summary>Keys: bare, quoted, dotted.</summary>
internal sealed class TomlKeyReader(TomlCursor cursor, TomlErrorList errors, TomlStringReader strings)
{
    private static readonly SearchValues<char> BareCharacters =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-");

    // What ends a bare key, rightly or as a mistake that the reader of the whole statement explains better.
    private static readonly SearchValues<char> Terminators = SearchValues.Create(" \t\r\n.=[]{},#\"'");

    public static bool IsBare(ReadOnlySpan<char> name) => !name.IsEmpty && !name.ContainsAnyExcept(BareCharacters);

    public static bool IsBare(char character) => BareCharacters.Contains(character);

    /// <summary>Reads a key and the blanks behind it.</summary>
    /// <returns>False after a mistake; <paramref name="key"/> then holds the parts before it.</returns>
    public bool TryRead(List<TomlKeyPart> key)
    {
        do
        {
            cursor.SkipBlank();
            TomlPosition position = cursor.Position;
            string? name = cursor.Current is '"' or '\'' ? strings.ReadKey() : ReadBare();
            if (name is null) return false;
            key.Add(new TomlKeyPart(name, position));
            cursor.SkipBlank();
        }
        while (cursor.TryTake('.'));

        return true;
    }

    private string? ReadBare()
    {
        ReadOnlySpan<char> rest = cursor.Rest;
        int length = rest.IndexOfAnyExcept(BareCharacters);
        if (length < 0) length = rest.Length;
        if (length < rest.Length && !Terminators.Contains(rest[length]))
        {
            cursor.Advance(length);
            errors.AddSyntax(
                cursor.Position,
                $"{TomlExcerpt.Of(cursor)} cannot stand in a bare key: allowed are A-Z a-z 0-9 _ and -; put any other key in quotes");
            return null;
        }

        if (length == 0)
        {
            errors.AddSyntax(
                cursor.Position, $"a key is expected (A-Z a-z 0-9 _ and -, or a string in quotes), found {TomlExcerpt.Of(cursor)}");
            return null;
        }

        string name = rest[..length].ToString();
        cursor.Advance(length);
        return name;
    }
}
