using System.Collections.Immutable;
using System.Globalization;
using System.Text.Json.Nodes;
using L4Balancer.Core.Config;

namespace L4Balancer.Configuration;

/// <summary>Puts the text of the file in the place of values that came from the environment, which may be secret.</summary>
internal static class EnvironmentMask
{
    public static void Apply(JsonObject config, ImmutableSortedDictionary<string, WrittenText> written)
    {
        foreach ((string key, WrittenText text) in written)
        {
            string[] path = key.Replace("[", ".", StringComparison.Ordinal).Replace("]", "", StringComparison.Ordinal).Split('.');
            JsonNode? table = config;
            foreach (string step in path[..^1])
            {
                table = table switch
                {
                    JsonArray array when int.TryParse(step, NumberStyles.None, CultureInfo.InvariantCulture, out int index) && index < array.Count => array[index],
                    JsonObject member => member[step],
                    _ => null,
                };
            }

            if (table is JsonObject holder && holder.ContainsKey(path[^1]))
            {
                holder[path[^1]] = text.IsList ? ListOf(text.Texts) : JsonValue.Create(text.Texts[0]);
            }
        }
    }

    private static JsonArray ListOf(ImmutableArray<string> texts)
    {
        // A collection expression would call the generic Add, which native code does not have.
        JsonNode?[] nodes = [.. texts.Select(static t => (JsonNode?)JsonValue.Create(t))];
        return new JsonArray(nodes);
    }
}
