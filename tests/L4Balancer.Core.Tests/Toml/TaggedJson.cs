using System.Globalization;
using System.Text.Json;
using L4Balancer.Core.Toml;

namespace L4Balancer.Core.Tests.Toml;

/// <summary>Compares a document with the form of toml-test: every value is <c>{"type": "integer", "value": "1"}</c>.</summary>
internal static class TaggedJson
{
    /// <summary>Every difference, with the path of its key; empty where document and expectation agree.</summary>
    public static List<string> Differences(TomlTable root, string json)
    {
        List<string> differences = [];
        using JsonDocument expected = JsonDocument.Parse(json);
        Compare(root, expected.RootElement, "", differences);
        return differences;
    }

    private static void Compare(TomlNode actual, JsonElement expected, string path, List<string> differences)
    {
        if (expected.ValueKind == JsonValueKind.Array)
        {
            CompareArray(actual, expected, path, differences);
        }
        else if (IsTagged(expected))
        {
            string type = expected.GetProperty("type").GetString()!;
            string value = expected.GetProperty("value").GetString()!;
            if (!Matches(actual, type, value)) differences.Add($"{path}: expected {type} {value}, found {actual}");
        }
        else
        {
            CompareTable(actual, expected, path, differences);
        }
    }

    private static void CompareArray(TomlNode actual, JsonElement expected, string path, List<string> differences)
    {
        if (actual is not TomlArray array || array.Items.Length != expected.GetArrayLength())
        {
            differences.Add($"{path}: expected an array of {expected.GetArrayLength()}, found {actual}");
            return;
        }

        for (int i = 0; i < array.Items.Length; i++) Compare(array.Items[i], expected[i], $"{path}[{i}]", differences);
    }

    private static void CompareTable(TomlNode actual, JsonElement expected, string path, List<string> differences)
    {
        if (actual is not TomlTable table)
        {
            differences.Add($"{path}: expected a table, found {actual}");
            return;
        }

        foreach (JsonProperty property in expected.EnumerateObject())
        {
            string below = $"{path}.{property.Name}";
            if (table.TryGet(property.Name, out TomlEntry? entry)) Compare(entry.Value, property.Value, below, differences);
            else differences.Add($"{below}: missing");
        }

        foreach (TomlEntry entry in table.Entries)
        {
            if (!expected.TryGetProperty(entry.Key, out _)) differences.Add($"{path}.{entry.Key}: not expected");
        }
    }

    // A table of the document may itself have the keys `type` and `value`; then they hold objects.
    private static bool IsTagged(JsonElement element) =>
        element.EnumerateObject().Count() == 2
        && element.TryGetProperty("type", out JsonElement type) && type.ValueKind == JsonValueKind.String
        && element.TryGetProperty("value", out JsonElement value) && value.ValueKind == JsonValueKind.String;

    private static bool Matches(TomlNode actual, string type, string value) => type switch
    {
        "string" => actual is TomlString node && node.Value == value,
        "integer" => actual is TomlInteger node && node.Value == long.Parse(value, CultureInfo.InvariantCulture),
        "float" => actual is TomlFloat node && SameFloat(node.Value, value),
        "bool" => actual is TomlBoolean node && node.Value == bool.Parse(value),
        "datetime" or "datetime-local" or "date-local" or "time-local" =>
            actual is TomlDateTime node && KindOf(node.Text) == type && Instant(node.Text) == Instant(value),
        _ => false,
    };

    private static bool SameFloat(double actual, string expected) => expected.TrimStart('+', '-') switch
    {
        "inf" => double.IsInfinity(actual) && double.IsNegative(actual) == expected.StartsWith('-'),
        "nan" => double.IsNaN(actual),
        _ => double.Parse(expected, CultureInfo.InvariantCulture) is var value && value.Equals(actual)
            && double.IsNegative(value) == double.IsNegative(actual),
    };

    private static string KindOf(string text) =>
        text.IndexOf(':', StringComparison.Ordinal) < 0 ? "date-local"
        : text[2] == ':' ? "time-local"
        : text[^1] is 'z' or 'Z' || text[10..].AsSpan().ContainsAny('+', '-') ? "datetime"
        : "datetime-local";

    private static DateTimeOffset Instant(string text) => DateTimeOffset.Parse(
        KindOf(text) == "time-local" ? "2000-01-01T" + text : text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal);
}
