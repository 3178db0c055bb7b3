using System.Text.Json;
using System.Text.Json.Nodes;
using L4Balancer.Core.Config;

namespace L4Balancer.Configuration;

/// <summary>What differs between two configurations. Listeners, pools and backends are told apart by their names, not their places.</summary>
internal static class ConfigDiff
{
    private const string NameKey = "name";

    public static IReadOnlyList<ConfigChange> Between(BalancerConfig before, BalancerConfig after)
    {
        List<ConfigChange> changes = [];
        Compare("", ConfigJson.Of(before), ConfigJson.Of(after), changes);
        return changes;
    }

    private static void Compare(string path, JsonNode? before, JsonNode? after, List<ConfigChange> changes)
    {
        if (JsonNode.DeepEquals(before, after))
        {
            return;
        }

        if (Members(before) is { } old && Members(after) is { } now)
        {
            foreach ((string name, JsonNode? value) in old)
            {
                Compare(Join(path, name), value, now.GetValueOrDefault(name), changes);
            }

            foreach ((string name, JsonNode? value) in now.Where(n => !old.ContainsKey(n.Key)))
            {
                Compare(Join(path, name), null, value, changes);
            }
        }
        else
        {
            changes.Add(new ConfigChange(path, Text(before), Text(after)));
        }
    }

    // The keys of a table, or the tables of an array by their names; null for a plain value. The order of backends means nothing.
    private static Dictionary<string, JsonNode?>? Members(JsonNode? node) => node switch
    {
        JsonObject table => table.ToDictionary(m => m.Key, m => m.Value),
        JsonArray array when array.All(i => i is JsonObject item && item.ContainsKey(NameKey)) && array.Count > 0 =>
            array.ToDictionary(i => i![NameKey]!.GetValue<string>(), i => i),
        _ => null,
    };

    private static string Join(string path, string name) => path.Length == 0 ? name : $"{path}.{name}";

    private static string? Text(JsonNode? node) => node?.ToJsonString(JsonSerializerOptions.Default);
}
