using System.Collections.Immutable;
using System.Text;
using L4Balancer.Core.Toml;

namespace L4Balancer.Core.Config;

/// <summary>Replaces variables of the environment in every string value of a document (<see cref="EnvironmentText"/>). Keys stay as they are.</summary>
/// <param name="variable">The value of a variable; null if it is not set.</param>
internal sealed class EnvironmentExpansion(Func<string, string?> variable)
{
    // Names are labels of metrics and arguments of commands: they are shown everywhere, and hide nothing.
    private static readonly string[] Names = ["name", "pool"];

    private readonly List<string> _path = [];

    public ExpandedTexts Expanded { get; } = new();

    public List<ConfigError> Errors { get; } = [];

    public TomlTable Expand(TomlTable table)
    {
        ImmutableArray<TomlEntry>.Builder? changed = null;
        for (int i = 0; i < table.Entries.Length; i++)
        {
            TomlEntry entry = table.Entries[i];
            _path.Add($".{Quoted.Key(entry.Key)}");
            TomlNode value = Expand(entry.Value);
            _path.RemoveAt(_path.Count - 1);
            if (!ReferenceEquals(value, entry.Value))
            {
                changed ??= table.Entries.ToBuilder();
                changed[i] = entry with { Value = value };
            }
        }

        return changed is null ? table : new TomlTable(table.Position, changed.MoveToImmutable());
    }

    private TomlNode Expand(TomlNode node) => node switch
    {
        TomlString text when EnvironmentText.IsIn(text.Value) => Expand(text, isShown: true),
        TomlArray array => Expand(array),
        TomlTable table => Expand(table),
        _ => node,
    };

    private TomlString Expand(TomlString text, bool isShown)
    {
        string key = Key();
        if (EnvironmentText.Expand(text.Value, variable, out string value, out string written) is string fault)
        {
            Errors.Add(new ConfigError(text.Position, key, fault));
            return text;
        }

        if (value != text.Value || value != written)
        {
            Expanded.Add(key, value, written);
            bool hasVariable = EnvironmentText.IsIn(written.Replace("$${", "", StringComparison.Ordinal));
            if (isShown && hasVariable && !Names.Contains(_path[^1].TrimStart('.')))
            {
                Expanded.Show(key, new WrittenText(IsList: false, [written]));
            }
        }

        return text with { Value = value };
    }

    // Of an array everything is shown as it is written: what its items become may be fewer.
    private TomlArray Expand(TomlArray array)
    {
        ImmutableArray<TomlNode>.Builder? changed = null;
        bool isVariable = false;
        for (int i = 0; i < array.Items.Length; i++)
        {
            _path.Add($"[{i}]");
            TomlNode item = array.Items[i];
            bool isText = item is TomlString text && EnvironmentText.IsIn(text.Value);
            isVariable |= isText;
            TomlNode value = isText ? Expand((TomlString)item, isShown: false) : Expand(item);
            _path.RemoveAt(_path.Count - 1);
            if (!ReferenceEquals(value, item))
            {
                changed ??= array.Items.ToBuilder();
                changed[i] = value;
            }
        }

        if (isVariable)
        {
            Expanded.Show(Key(), new WrittenText(IsList: true, [.. array.Items.OfType<TomlString>().Select(t => Shown(t.Value))]));
        }

        return changed is null ? array : array with { Items = changed.MoveToImmutable() };
    }

    private string Shown(string text) => EnvironmentText.Expand(text, variable, out _, out string written) is null ? written : text;

    private string Key()
    {
        StringBuilder key = new();
        foreach (string part in _path)
        {
            key.Append(part);
        }

        return key.ToString(1, key.Length - 1);
    }
}
