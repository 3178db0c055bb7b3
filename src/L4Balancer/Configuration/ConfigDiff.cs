using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using L4Balancer.Core.Config;

namespace L4Balancer.Configuration;

/// <summary>
/// Computes the differences between two configurations. Listeners, pools and backends are matched by their names, not by their positions.
/// </summary>
internal static class ConfigDiff
{
    private const string NameKey = "name";

    public static IReadOnlyList<ConfigChange> Between(BalancerConfig before, BalancerConfig after)
    {
        List<ConfigChange> changes = [];
        Compare("", Side.Of(before), Side.Of(after), changes);
        CompareUnseen(before, after, changes);
        return changes;
    }

    /// <summary>
    /// Differences that the JSON does not show: values that may be secret, and the content of files that the configuration refers to.
    /// </summary>
    private static void CompareUnseen(BalancerConfig before, BalancerConfig after, List<ConfigChange> changes)
    {
        foreach (PoolSettings pool in after.Pools)
        {
            if (before.Pools.FirstOrDefault(p => p.Name == pool.Name) is not { Health: { } old } was)
            {
                continue;
            }

            if (pool.Discovery is { } source && was.Discovery is { } sourceBefore && source.CaFile == sourceBefore.CaFile
                && source.CaCertificates != sourceBefore.CaCertificates)
            {
                changes.Add(new ConfigChange(
                    $"pools.{pool.Name}.discovery.ca_file", Fingerprint(sourceBefore.CaCertificates), Fingerprint(source.CaCertificates)));
            }

            HealthSettings now = pool.Health;
            string path = $"pools.{pool.Name}.health";
            string hidden = Text(ConfigJson.Hidden)!;
            changes.AddRange(now.Headers.Where(h => old.Headers.TryGetValue(h.Key, out string? value) && value != h.Value)
                .Select(h => new ConfigChange($"{path}.headers.{h.Key}", hidden, hidden)));
            if (now.Send != old.Send && now.Send.Length > 0 && old.Send.Length > 0)
            {
                changes.Add(new ConfigChange($"{path}.send", hidden, hidden));
            }

            if (now.CaFile == old.CaFile && now.CaCertificates != old.CaCertificates)
            {
                changes.Add(new ConfigChange($"{path}.ca_file", Fingerprint(old.CaCertificates), Fingerprint(now.CaCertificates)));
            }
        }
    }

    private static string Fingerprint(string content) =>
        $"content with SHA-256 {Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(content)))[..12]}...";

    private static void Compare(string path, Side before, Side after, List<ConfigChange> changes)
    {
        if (JsonNode.DeepEquals(before.Value, after.Value))
        {
            return;
        }

        if (before.Members() is { } old && after.Members() is { } now)
        {
            foreach ((string name, Side value) in old)
            {
                Compare(Join(path, name), value, now.GetValueOrDefault(name), changes);
            }

            foreach ((string name, Side value) in now.Where(n => !old.ContainsKey(n.Key)))
            {
                Compare(Join(path, name), default, value, changes);
            }
        }
        else
        {
            changes.Add(new ConfigChange(path, Text(before.Shown), Text(after.Shown)));
        }
    }

    /// <summary>A value, and how it is shown. Both have the same tables and names.</summary>
    private readonly record struct Side(JsonNode? Value, JsonNode? Shown)
    {
        public static Side Of(BalancerConfig config) => new(ConfigJson.WithValuesOf(config), ConfigJson.Of(config));

        public Dictionary<string, Side>? Members()
        {
            Dictionary<string, JsonNode?>? shown = MembersOf(Shown);
            return MembersOf(Value)?.ToDictionary(m => m.Key, m => new Side(m.Value, shown?.GetValueOrDefault(m.Key)));
        }
    }

    // The keys of a table, or the tables of an array by their names; null for a plain value. The order of backends has no meaning.
    private static Dictionary<string, JsonNode?>? MembersOf(JsonNode? node) => node switch
    {
        JsonObject table => table.ToDictionary(m => m.Key, m => m.Value),
        JsonArray array when array.All(i => i is JsonObject item && item.ContainsKey(NameKey)) && array.Count > 0 =>
            array.ToDictionary(i => i![NameKey]!.GetValue<string>(), i => i),
        _ => null,
    };

    private static string Join(string path, string name) => path.Length == 0 ? name : $"{path}.{name}";

    private static string? Text(JsonNode? node) => node?.ToJsonString();
}
