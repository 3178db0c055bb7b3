using System.Collections.Immutable;

namespace L4Balancer.Core.Toml;

/// <summary>What was read: where <see cref="Errors"/> is not empty, <see cref="Root"/> holds what could be made out nevertheless.</summary>
public sealed record TomlDocument(TomlTable Root, ImmutableArray<TomlError> Errors);

/// <summary>What is wrong with the text, where, and what is allowed there.</summary>
public sealed record TomlError(TomlPosition Position, string Message);

/// <summary>A place in the text: both count from 1; a column is one Unicode code point.</summary>
public readonly record struct TomlPosition(int Line, int Column)
{
    public override string ToString() => $"{Line}:{Column}";

    /// <summary>The place behind <paramref name="text"/>, where that begins here.</summary>
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
