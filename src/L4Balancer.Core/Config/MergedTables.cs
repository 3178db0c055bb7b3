using System.Collections.Immutable;
using L4Balancer.Core.Toml;

namespace L4Balancer.Core.Config;

/// <summary>
/// Several files as one: arrays of tables (<c>[[listeners]]</c>, <c>[[pools]]</c>) are joined, and so are the keys of one table. A key that two files
/// have is an error.
/// </summary>
internal static class MergedTables
{
    /// <summary>The document with the source in all its positions.</summary>
    public static TomlDocument From(this TomlDocument document, TomlSource source) => new(
        (TomlTable)From(document.Root, source), [.. document.Errors.Select(e => e with { Position = e.Position with { Source = source } })]);

    /// <param name="documents">The main file, then the others in their order.</param>
    /// <param name="errors">Receives keys that stand twice, and <c>include</c> in another file than the main one.</param>
    public static TomlDocument Of(IReadOnlyList<TomlDocument> documents, ImmutableArray<ConfigError>.Builder errors)
    {
        Dictionary<string, TomlEntry> all = [];
        foreach (TomlEntry entry in documents[0].Root.Entries)
        {
            all.Add(entry.Key, entry);
        }

        foreach (TomlEntry entry in documents.Skip(1).SelectMany(static d => d.Root.Entries))
        {
            if (entry.Key == IncludeBinding.Key)
            {
                errors.Add(new ConfigError(entry.KeyPosition, entry.Key, "only the main file includes others; name the file there"));
            }
            else if (!all.TryGetValue(entry.Key, out TomlEntry? known))
            {
                all.Add(entry.Key, entry);
            }
            else
            {
                all[entry.Key] = Merge(known, entry, errors);
            }
        }

        return new TomlDocument(
            new TomlTable(documents[0].Root.Position, [.. all.Values]), [.. documents.SelectMany(static d => d.Errors)]);
    }

    private static TomlEntry Merge(TomlEntry known, TomlEntry added, ImmutableArray<ConfigError>.Builder errors)
    {
        switch (known.Value, added.Value)
        {
            case (TomlArray first, TomlArray second) when IsTables(first) && IsTables(second):
                return known with { Value = first with { Items = [.. first.Items, .. second.Items] } };
            case (TomlTable first, TomlTable second):
                HashSet<string> twice = [];
                foreach (TomlEntry entry in second.Entries)
                {
                    if (first.TryGet(entry.Key, out TomlEntry? there))
                    {
                        twice.Add(entry.Key);
                        errors.Add(Twice(entry, $"{Quoted.Key(added.Key)}.{Quoted.Key(entry.Key)}", there));
                    }
                }

                return known with { Value = new TomlTable(first.Position, [.. first.Entries, .. second.Entries.Where(e => !twice.Contains(e.Key))]) };
            default:
                errors.Add(Twice(added, Quoted.Key(added.Key), known));
                return known;
        }
    }

    private static ConfigError Twice(TomlEntry entry, string key, TomlEntry there) =>
        new(entry.KeyPosition, key, $"stands at {there.KeyPosition} already; leave one of them out");

    private static bool IsTables(TomlArray array) => array.Items.All(static i => i is TomlTable);

    private static TomlNode From(TomlNode node, TomlSource source)
    {
        TomlPosition position = node.Position with { Source = source };
        return node switch
        {
            TomlTable table => new TomlTable(
                position,
                [.. table.Entries.Select(e => new TomlEntry(e.Key, e.KeyPosition with { Source = source }, From(e.Value, source)))]),
            TomlArray array => new TomlArray(position, [.. array.Items.Select(i => From(i, source))]),
            _ => node with { Position = position },
        };
    }
}
