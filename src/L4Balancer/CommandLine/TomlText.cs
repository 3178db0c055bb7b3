using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using L4Balancer.Admin.Answers;

namespace L4Balancer.CommandLine;

/// <summary>
/// Writes the configuration in force as TOML, with every default filled in. What was set at run time is marked by a comment. The values of secrets are
/// <c>***</c>, so that the text is for reading and comparing.
/// </summary>
internal sealed class TomlText(TextWriter output, IReadOnlyDictionary<(string Pool, string Name), BackendAnswer> backends)
{
    // Written in one line, as the documentation does.
    private static readonly string[] Inline = ["keepalive", "source_net", "headers"];

    private static readonly string[] OfTables = ["listeners", "pools", "routes", "backends"];

    // Of listeners that send packets on; the others have no use for them.
    private static readonly string[] OfPackets = ["mode", "interface", "forward", "flows", "second_chance"];

    // An empty source is none, but its key would name it.
    private const string Discovery = "discovery";

    public void Write(JsonObject config) => WriteTable(config, [], "");

    private void WriteTable(JsonObject table, string[] path, string pool)
    {
        string indent = new(' ', 2 * Math.Max(0, path.Length - 1));
        foreach ((string key, JsonNode? value) in table.Where(m => IsValue(m.Key, m.Value) && !IsUnused(path, table, m.Key)))
        {
            if (path is not [.., Discovery] || (value is JsonArray array ? array.Count > 0 : value!.ToString().Length > 0))
            {
                output.WriteLine($"{indent}{Key(key)} = {(path is ["pools", "backends"] && key == "weight" ? Weight(pool, table) : Value(value!))}");
            }
        }

        foreach ((string key, JsonNode? value) in table.Where(m => !IsValue(m.Key, m.Value)))
        {
            string[] inner = [.. path, key];
            string header = string.Join('.', inner.Select(Key));
            string innerIndent = new(' ', 2 * (inner.Length - 1));
            JsonObject[] items = value is JsonArray list ? [.. list.OfType<JsonObject>()] : value is JsonObject one ? [one] : [];
            foreach (JsonObject item in items)
            {
                if (path.Length == 0)
                {
                    output.WriteLine();
                }

                string named = path.Length == 0 ? item["name"]?.ToString() ?? "" : pool;
                Write(Remarks(inner, named, item), innerIndent);
                output.WriteLine(value is JsonArray ? $"{innerIndent}[[{header}]]" : $"{innerIndent}[{header}]");
                WriteTable(item, inner, named);
            }
        }
    }

    private static bool IsUnused(string[] path, JsonObject table, string key) =>
        path is ["listeners"] && OfPackets.Contains(key) && table["mode"]?.ToString() == "relay";

    private void Write(IEnumerable<string> remarks, string indent)
    {
        foreach (string remark in remarks)
        {
            output.WriteLine($"{indent}# {remark}");
        }
    }

    private IEnumerable<string> Remarks(string[] path, string pool, JsonObject table) =>
        path is ["pools", "backends"] && backends.TryGetValue((pool, table["name"]?.ToString() ?? ""), out BackendAnswer? backend) && backend.ModeSet is { } set
            ? [$"set at run time: {backend.State}{Origin(set)}"] : [];

    // The weight in force; the file's is in the remark.
    private string Weight(string pool, JsonObject table)
    {
        string written = table["weight"]!.ToJsonString();
        return backends.TryGetValue((pool, table["name"]?.ToString() ?? ""), out BackendAnswer? backend) && backend.WeightSet is { } set
            ? string.Create(CultureInfo.InvariantCulture, $"{backend.Weight}  # set at run time{Origin(set)}; the file has {written}") : written;
    }

    private static string Origin(OriginAnswer set) => string.Create(
        CultureInfo.InvariantCulture, $", {set.At.ToUniversalTime():yyyy-MM-ddTHH:mm:ss}Z, by {set.Who}")
        + (set.Until is { } until ? string.Create(CultureInfo.InvariantCulture, $", until {until.ToUniversalTime():yyyy-MM-ddTHH:mm:ss}Z") : "");

    private static bool IsValue(string key, JsonNode? value) => value switch
    {
        null => false,
        JsonObject => Inline.Contains(key),
        JsonArray array => (array.Count == 0 && !OfTables.Contains(key)) || !array.All(static i => i is JsonObject),
        _ => true,
    };

    private static string Value(JsonNode value) => value switch
    {
        JsonObject { Count: 0 } => "{}",
        JsonObject table => $"{{ {string.Join(", ", table.Where(static m => m.Value is not null).Select(static m => $"{Key(m.Key)} = {Value(m.Value!)}"))} }}",
        JsonArray array => $"[{string.Join(", ", array.Select(static i => Value(i!)))}]",
        _ => value.GetValueKind() == System.Text.Json.JsonValueKind.String ? Quote(value.GetValue<string>()) : value.ToJsonString(),
    };

    private static string Key(string key) => key.Length > 0 && key.All(static c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-') ? key : Quote(key);

    private static string Quote(string text)
    {
        StringBuilder quoted = new("\"");
        foreach (Rune rune in text.EnumerateRunes())
        {
            _ = rune.Value switch
            {
                '"' => quoted.Append("\\\""),
                '\\' => quoted.Append("\\\\"),
                _ when Logging.LogText.IsHidden(rune) => quoted.Append(CultureInfo.InvariantCulture, $"\\U{rune.Value:X8}"),
                _ => quoted.Append(rune),
            };
        }

        return quoted.Append('"').ToString();
    }
}
