using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using L4Balancer.Configuration;
using L4Balancer.Core.Config;

namespace L4Balancer.Fleet;

/// <summary>
/// A short hash over what has to be the same on all balancers of a fleet: listeners and pools, in the order of their names, without the addresses of
/// the host itself (<c>bind</c>, <c>source_ips</c>, <c>interface</c>). Secrets are not in it (<see cref="ConfigJson"/>).
/// </summary>
internal static class ConfigHash
{
    private const int Length = 12;
    private const string NameKey = "name";

    private static readonly string[] OfTheHost = ["bind", "source_ips", "interface"];

    public static string Of(BalancerConfig config)
    {
        JsonObject all = ConfigJson.Of(config);
        var shared = new JsonObject { ["listeners"] = Ordered(all["listeners"]!.AsArray()), ["pools"] = Ordered(all["pools"]!.AsArray()) };
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(shared.ToJsonString())))[..Length];
    }

    private static JsonArray Ordered(JsonArray tables)
    {
        JsonObject[] ordered =
            [.. tables.Select(static t => t!.DeepClone().AsObject()).OrderBy(static t => t[NameKey]!.GetValue<string>(), StringComparer.Ordinal)];
        foreach (JsonObject table in ordered)
        {
            Array.ForEach(OfTheHost, key => table.Remove(key));
            if (table["backends"] is JsonArray backends)
            {
                table["backends"] = Ordered(backends);
            }
        }

        // A collection expression would call the generic Add, which native code does not have.
        JsonNode?[] nodes = [.. ordered];
        return new JsonArray(nodes);
    }
}
