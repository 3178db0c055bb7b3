using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using L4Balancer.Core.Config;
using L4Balancer.Core.Toml;

namespace L4Balancer.Core.Tests.Config;

/// <summary>
/// The JSON Schema of a configuration file (draft 7), for editors. Tables and keys are those of <see cref="ConfigSchema"/>; what a key takes is asked of
/// the reader itself, by a value of each type; descriptions and defaults are those of docs/configuration.md.
/// </summary>
internal static partial class SchemaDocument
{
    private static readonly JsonSerializerOptions Written = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private static readonly TomlPosition Start = new(1, 1);

    private static readonly (string Type, TomlNode Node)[] Probes =
    [
        ("string", new TomlString(Start, "x")),
        ("boolean", new TomlBoolean(Start, true)),
        ("integer", new TomlInteger(Start, 1)),
        ("number", new TomlFloat(Start, 1.5)),
        ("array", new TomlArray(Start, [new TomlString(Start, "x")])),
        ("object", new TomlTable(Start, [])),
    ];

    public static string Text()
    {
        Dictionary<(string, string), Row> rows = Rows().DistinctBy(static r => (r.Header, r.Key)).ToDictionary(static r => (r.Header, r.Key));
        JsonObject schema = TableOf(ConfigSchema.Root, [], rows);
        JsonObject whole = new()
        {
            ["$schema"] = "http://json-schema.org/draft-07/schema#",
            ["title"] = "balancer.toml of l4balancer",
            ["description"] = "Generated from the schema of the reader and docs/configuration.md.",
        };
        foreach ((string key, JsonNode? value) in schema.ToArray())
        {
            whole[key] = value!.DeepClone();
        }

        whole["definitions"] = new JsonObject
        {
            ["duration"] = TextOf(@"^([0-9]+(\.[0-9]+)?(ms|s|m|h|d))+$", "A duration: \"250ms\", \"2s\", \"1m30s\""),
            ["size"] = TextOf("^(0|[0-9]+(B|KiB|MiB|GiB))$", "A size: \"16KiB\", \"64MiB\""),
        };
        return whole.ToJsonString(Written) + "\n";
    }

    private static JsonObject TableOf(SchemaTable table, ImmutableArray<SchemaKey> above, Dictionary<(string, string), Row> rows)
    {
        JsonObject properties = [];
        JsonArray required = [];
        foreach (SchemaKey key in table.Keys.Where(static k => k.Form != KeyForm.NotYet))
        {
            ImmutableArray<SchemaKey> path = above.Add(key);
            JsonObject value = key.Form switch
            {
                KeyForm.Table => TableOf(key.Table!, path, rows),
                KeyForm.Tables => new JsonObject { ["type"] = "array", ["items"] = TableOf(key.Table!, path, rows) },
                _ => ValueOf(path),
            };
            if (rows.TryGetValue((table.Header, key.Name), out Row? row))
            {
                value["description"] = row.Meaning.Length > 0 ? row.Meaning : row.Allowed;
                if (row.Default.StartsWith('`') && DefaultOf(row.Default.Trim('`')) is { } fallback)
                {
                    value["default"] = fallback;
                }

                if (row.Default == "required")
                {
                    required.Add(key.Name);
                }
            }

            properties[key.Name] = value;
        }

        JsonObject schema = new() { ["type"] = "object", ["additionalProperties"] = false, ["properties"] = properties };
        if (required.Count > 0)
        {
            schema["required"] = required;
        }

        return schema;
    }

    private static JsonObject ValueOf(ImmutableArray<SchemaKey> path)
    {
        string wanted = Wanted().Match(Refusal(path, new TomlDateTime(Start, "2026-11-20")) ?? "").Groups[1].Value;
        if (wanted.StartsWith("a duration", StringComparison.Ordinal))
        {
            return new JsonObject { ["$ref"] = "#/definitions/duration" };
        }

        if (wanted.StartsWith("a size", StringComparison.Ordinal))
        {
            return new JsonObject { ["$ref"] = "#/definitions/size" };
        }

        string[] types = [.. Probes.Where(p => Refusal(path, p.Node) is null).Select(static p => p.Type)];
        types = types.Contains("number") ? [.. types.Where(static t => t != "integer")] : types;
        if (wanted.StartsWith("one of ", StringComparison.Ordinal))
        {
            JsonArray words = [.. Word().Matches(wanted).Select(static m => (JsonNode?)m.Groups[1].Value)];
            return new JsonObject { ["anyOf"] = new JsonArray(new JsonObject { ["enum"] = words }, new JsonObject { ["type"] = "string", ["pattern"] = @"\$\{" }) };
        }

        JsonObject value = new() { ["type"] = types.Length == 1 ? types[0] : new JsonArray([.. types.Select(static t => (JsonNode?)t)]) };
        Match range = Range().Match(wanted);
        if (range.Success)
        {
            value["minimum"] = JsonNode.Parse(range.Groups[1].Value);
            value["maximum"] = JsonNode.Parse(range.Groups[2].Value);
        }

        if (types.Contains("array"))
        {
            value["items"] = new JsonObject { ["type"] = "string" };
        }

        if (path[^1].Name == ConfigSchema.SourceNet.Header)
        {
            value = TableOf(ConfigSchema.SourceNet, path, []);
        }
        else if (types.Contains("object"))
        {
            value["additionalProperties"] = new JsonObject { ["type"] = "string" };
        }

        return value;
    }

    /// <summary>What the reader says about a value of a type that the key does not take; null if it takes it.</summary>
    private static string? Refusal(ImmutableArray<SchemaKey> path, TomlNode node)
    {
        for (int i = path.Length - 1; i >= 0; i--)
        {
            TomlTable table = new(Start, [new TomlEntry(path[i].Name, Start, node)]);
            node = i > 0 && path[i - 1].Form == KeyForm.Tables ? new TomlArray(Start, [table]) : table;
        }

        string key = string.Join('.', path.Select((k, i) => k.Form == KeyForm.Tables && i < path.Length - 1 ? k.Name + "[0]" : k.Name));
        return ConfigReader.Read(new TomlDocument((TomlTable)node, [])).Errors.Where(e => e.Key == key).Select(static e => e.Message)
            .FirstOrDefault(static m => m.StartsWith("must be ", StringComparison.Ordinal) || m.Contains("has no unit", StringComparison.Ordinal));
    }

    private static JsonObject TextOf(string pattern, string description) => new()
    {
        ["type"] = "string",
        ["description"] = description,
        ["anyOf"] = new JsonArray(new JsonObject { ["pattern"] = pattern }, new JsonObject { ["pattern"] = @"\$\{" }),
    };

    private static JsonNode? DefaultOf(string text) =>
        TomlReader.Read(Encoding.UTF8.GetBytes($"x = {text}")) is { Errors.IsEmpty: true } document ? JsonOf(document.Root.Entries[0].Value) : null;

    private static JsonNode? JsonOf(TomlNode node) => node switch
    {
        TomlString text => JsonValue.Create(text.Value),
        TomlInteger integer => JsonValue.Create(integer.Value),
        TomlFloat number => JsonNode.Parse(number.Value.ToString("0.0###", CultureInfo.InvariantCulture)),
        TomlBoolean boolean => JsonValue.Create(boolean.Value),
        TomlArray array => new JsonArray([.. array.Items.Select(JsonOf)]),
        TomlTable table => new JsonObject(table.Entries.Select(static e => new KeyValuePair<string, JsonNode?>(e.Key, JsonOf(e.Value)))),
        _ => null,
    };

    private sealed record Row(string Header, string Key, string Default, string Allowed, string Meaning);

    private static IEnumerable<Row> Rows()
    {
        string heading = "";
        foreach (string line in RepositoryFile.Read("docs/configuration.md").Split('\n'))
        {
            heading = line.StartsWith("## ", StringComparison.Ordinal) ? line[3..].Trim('`', ' ') : heading;
            string[] states = line.Split(" | ");
            if (line.StartsWith("| `", StringComparison.Ordinal) && states.Length == 5)
            {
                yield return new Row(
                    heading, states[0].Trim('|', ' ', '`'), states[1].Trim(), Plain(states[2]), Plain(states[4].TrimEnd('|', ' ')));
            }
        }
    }

    private static string Plain(string markdown) => Link().Replace(markdown, "$1").Replace("`", "", StringComparison.Ordinal).Trim();

    [GeneratedRegex("^must be (.*), not .*$", RegexOptions.CultureInvariant)]
    private static partial Regex Wanted();

    [GeneratedRegex("\"([^\"]+)\"", RegexOptions.CultureInvariant)]
    private static partial Regex Word();

    [GeneratedRegex(@"^a (?:whole )?number from (-?[0-9.]+) to (-?[0-9.]+)$", RegexOptions.CultureInvariant)]
    private static partial Regex Range();

    [GeneratedRegex(@"\[([^\]]*)\]\([^)]*\)", RegexOptions.CultureInvariant)]
    private static partial Regex Link();
}
