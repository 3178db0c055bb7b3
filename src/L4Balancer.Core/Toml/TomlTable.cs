using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;

namespace L4Balancer.Core.Toml;

/// <summary>A key of a table, with the place where the key stands and its value.</summary>
public sealed record TomlEntry(string Key, TomlPosition KeyPosition, TomlNode Value);

/// <summary>A table in the order of the text. Arrays of tables are a <see cref="TomlArray"/> of these.</summary>
public sealed record TomlTable(TomlPosition Position, ImmutableArray<TomlEntry> Entries) : TomlNode(Position)
{
    public bool TryGet(string key, [NotNullWhen(true)] out TomlEntry? entry)
    {
        foreach (TomlEntry candidate in Entries)
        {
            if (candidate.Key == key)
            {
                entry = candidate;
                return true;
            }
        }

        entry = null;
        return false;
    }
}
