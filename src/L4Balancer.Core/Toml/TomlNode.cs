using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;

namespace L4Balancer.Core.Toml;

/// <summary>A TOML value with its start position.</summary>
public abstract record TomlNode(TomlPosition Position);

public sealed record TomlString(TomlPosition Position, string Value) : TomlNode(Position);

public sealed record TomlInteger(TomlPosition Position, long Value) : TomlNode(Position);

public sealed record TomlFloat(TomlPosition Position, double Value) : TomlNode(Position);

public sealed record TomlBoolean(TomlPosition Position, bool Value) : TomlNode(Position);

/// <summary>A date, a time, or both, validated but kept as written, because no setting takes one.</summary>
public sealed record TomlDateTime(TomlPosition Position, string Text) : TomlNode(Position);

public sealed record TomlArray(TomlPosition Position, ImmutableArray<TomlNode> Items) : TomlNode(Position);

/// <summary>A key of a table, with the position of the key and its value.</summary>
public sealed record TomlEntry(string Key, TomlPosition KeyPosition, TomlNode Value);

/// <summary>A table in the order of the text. Arrays of tables are a <see cref="TomlArray"/> of these.</summary>
public sealed record TomlTable(TomlPosition Position, ImmutableArray<TomlEntry> Entries) : TomlNode(Position)
{
    // Most tables have a dozen keys; there a linear search is as fast as hashing, and an index would only cost memory.
    private const int IndexedFrom = 16;

    private readonly Dictionary<string, TomlEntry>? _index = IndexOf(Entries);

    // Not settable by `with`, because the index depends on it.
    public ImmutableArray<TomlEntry> Entries { get; } = Entries;

    public bool TryGet(string key, [NotNullWhen(true)] out TomlEntry? entry)
    {
        if (_index is not null) return _index.TryGetValue(key, out entry);

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

    private static Dictionary<string, TomlEntry>? IndexOf(ImmutableArray<TomlEntry> entries)
    {
        if (entries.Length < IndexedFrom) return null;
        Dictionary<string, TomlEntry> index = new(entries.Length);
        foreach (TomlEntry entry in entries) index.TryAdd(entry.Key, entry);
        return index;
    }
}
