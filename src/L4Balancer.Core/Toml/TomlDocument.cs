using System.Collections.Immutable;

namespace L4Balancer.Core.Toml;

/// <summary>The result of reading: if <see cref="Errors"/> is not empty, <see cref="Root"/> holds the parts that could be read.</summary>
public sealed record TomlDocument(TomlTable Root, ImmutableArray<TomlError> Errors);

/// <summary>A mistake in the text: what is wrong, where, and what is allowed there.</summary>
public sealed record TomlError(TomlPosition Position, string Message);

/// <summary>A position in the text: line and column count from 1; a column is one Unicode code point.</summary>
public readonly record struct TomlPosition(int Line, int Column)
{
    /// <summary>The file, where a document is put together from several; null: there is only one.</summary>
    public TomlSource? Source { get; init; }

    public override string ToString() => Source is null ? $"{Line}:{Column}" : $"{Source.Path}:{Line}:{Column}";

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

        return new TomlPosition(Line + lines, column) { Source = Source };
    }
}

/// <summary>One of the files that a document is put together from.</summary>
/// <param name="Path">As messages show it.</param>
/// <param name="Order">The place in the order of reading, from 0.</param>
public sealed record TomlSource(string Path, int Order);
