using System.Collections.Immutable;

namespace L4Balancer.Core.Toml;

/// <summary>The result of reading: if <see cref="Errors"/> is not empty, <see cref="Root"/> holds the parts that could be read.</summary>
public sealed record TomlDocument(TomlTable Root, ImmutableArray<TomlError> Errors);

/// <summary>A mistake in the text: what is wrong, where, and what is allowed there.</summary>
public sealed record TomlError(TomlPosition Position, string Message);

/// <summary>A position in the text: line and column count from 1; a column is one Unicode code point.</summary>
public readonly record struct TomlPosition(int Line, int Column)
{
    public override string ToString() => $"{Line}:{Column}";

    /// <summary>The position after <paramref name="text"/>, if that begins here.</summary>
    internal TomlPosition Behind(ReadOnlySpan<char> text)
    {
        int lines = text.Count('\n');
        ReadOnlySpan<char> last = text[(text.LastIndexOf('\n') + 1)..];
        int column = lines > 0 ? 1 : Column;
        foreach (char c in last)
        {
            if (!char.IsLowSurrogate(c)) column++;
        }

        return new TomlPosition(Line + lines, column);
    }
}
