using System.Collections.Immutable;
using L4Balancer.Core.Toml;

namespace L4Balancer.Core.Config;

/// <summary>A configuration put together: the main file with the files that it includes, and variables replaced by their values.</summary>
/// <param name="Errors">Those of <c>include</c> and of variables; those of the syntax are in the document.</param>
/// <param name="Includes">The patterns of <c>include</c>, with their variables replaced.</param>
/// <param name="IsComplete">False if a file could not be included: then nothing is reported as missing.</param>
internal sealed record WholeConfig(
    TomlDocument Document, ExpandedTexts Expanded, ImmutableArray<ConfigError> Errors, ImmutableArray<string> Includes, bool IsComplete)
{
    public static WholeConfig Of(TomlDocument main, ConfigInputs inputs)
    {
        ImmutableArray<ConfigError>.Builder errors = ImmutableArray.CreateBuilder<ConfigError>();
        ImmutableArray<string>.Builder patterns = ImmutableArray.CreateBuilder<string>();
        TomlDocument document = main;
        bool isComplete = true;
        if (main.Root.TryGet(IncludeBinding.Key, out TomlEntry? entry) && entry.Value is TomlArray list)
        {
            document = main.From(new TomlSource(inputs.Path, 0));
            List<TomlDocument> documents = [document];
            TomlArray located = (TomlArray)document.Root.Entries.First(static e => e.Key == IncludeBinding.Key).Value;
            for (int i = 0; i < located.Items.Length; i++)
            {
                if (located.Items[i] is not TomlString { Value.Length: > 0 } pattern)
                {
                    continue;
                }

                string key = $"{IncludeBinding.Key}[{i}]";
                string? fault = EnvironmentText.Expand(pattern.Value, inputs.Variable, out string path, out _);
                if (fault is null)
                {
                    patterns.Add(path);
                    IncludedFiles files = inputs.Include(path);
                    fault = files.Fault;
                    foreach (IncludedFile file in files.Files)
                    {
                        documents.Add(TomlReader.Read(file.Text.Span).From(new TomlSource(file.Path, documents.Count)));
                    }
                }

                if (fault is not null)
                {
                    isComplete = false;
                    errors.Add(new ConfigError(pattern.Position, key, fault));
                }
            }

            document = MergedTables.Of(documents, errors);
        }

        EnvironmentExpansion expansion = new(inputs.Variable);
        TomlTable root = expansion.Expand(document.Root);

        // A pattern with an error has one already.
        errors.AddRange(expansion.Errors.Where(e => !errors.Any(known => known.Position == e.Position)));
        return new WholeConfig(document with { Root = root }, expansion.Expanded, errors.ToImmutable(), patterns.ToImmutable(), isComplete);
    }
}

/// <summary><c>include</c>.</summary>
internal static class IncludeBinding
{
    public const string Key = "include";

    private const string Form = "an array of file names or patterns, like [\"conf.d/*.toml\"]";

    /// <summary>Reports what is no pattern; the files have been read by then.</summary>
    public static void Bind(TableBinder root)
    {
        if (!root.TryGet(Key, out Setting setting) || !setting.TryItems(Form, out ImmutableArray<Setting> items))
        {
            return;
        }

        foreach (Setting item in items)
        {
            if (item.TryText(Form, out string text) && text.Length == 0)
            {
                item.Reject($"is empty; needed: {Form}");
            }
        }
    }
}
