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
    /// <returns>False after a mistake; <paramref name="key"/> then holds what stands before it.</returns>
    public bool TryRead(List<TomlKeyPart> key)
    {
        do
        {
            cursor.SkipBlank();
            if (key.Count > TomlTableBuilder.MaxDepth)
            {
                errors.AddSyntax(cursor.Position, $"tables are nested too deeply: {TomlTableBuilder.MaxDepth} levels are allowed");
                return false;
            }

            if (cursor.Current is '"' or '\'' ? !TryReadQuoted(key) : !TryReadBare(key)) return false;
            cursor.SkipBlank();
        }
        while (cursor.TryTake('.'));

        return true;
    }

    private bool TryReadQuoted(List<TomlKeyPart> key)
    {
        TomlPosition position = cursor.Position;
        if (strings.ReadKey() is not { } name) return false;
        key.Add(new TomlKeyPart(name, position));
        return true;
    }

    private bool TryReadBare(List<TomlKeyPart> key)
    {
        TomlPosition position = cursor.Position;
        ReadOnlySpan<char> rest = cursor.Rest;
        int length = rest.IndexOfAnyExcept(BareCharacters);
        if (length < 0) length = rest.Length;
        cursor.Advance(length);
        if (length > 0) key.Add(new TomlKeyPart(rest[..length].ToString(), position));
        if (length < rest.Length && !Terminators.Contains(rest[length]))
        {
            errors.AddSyntax(
                cursor.Position,
                $"{TomlExcerpt.Of(cursor)} cannot stand in a bare key: allowed are A-Z a-z 0-9 _ and -; put any other key in quotes");
            return false;
        }

        if (length > 0) return true;
        errors.AddSyntax(
            cursor.Position, $"a key is expected (A-Z a-z 0-9 _ and -, or a string in quotes), found {TomlExcerpt.Of(cursor)}");
        return false;
    }
}
