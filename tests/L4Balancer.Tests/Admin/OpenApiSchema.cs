using System.Text.Json;

namespace L4Balancer.Tests.Admin;

/// <summary>As much of JSON Schema as <c>docs/openapi.json</c> uses: what of a value is not as its schema says.</summary>
internal static class OpenApiSchema
{
    public static IEnumerable<string> Faults(JsonElement document, JsonElement schema, JsonElement value, string place = "$")
    {
        if (schema.TryGetProperty("$ref", out JsonElement reference))
        {
            JsonElement target = reference.GetString()!.Split('/')[1..].Aggregate(document, (at, step) => at.GetProperty(step));
            return Faults(document, target, value, place);
        }

        if (schema.TryGetProperty("oneOf", out JsonElement choices))
        {
            string[][] each = [.. choices.EnumerateArray().Select(c => Faults(document, c, value, place).ToArray())];
            return each.Any(f => f.Length == 0) ? [] : each[0];
        }

        if (schema.TryGetProperty("type", out JsonElement type) && !TypesOf(type).Any(t => Is(t, value)))
        {
            return [$"{place}: {value.ValueKind} where {type} is described"];
        }

        if (schema.TryGetProperty("enum", out JsonElement words) && value.ValueKind == JsonValueKind.String
            && !words.EnumerateArray().Any(w => w.GetString() == value.GetString()))
        {
            return [$"{place}: {value} is none of {words}"];
        }

        return value.ValueKind switch
        {
            JsonValueKind.Object => OfObject(document, schema, value, place),
            JsonValueKind.Array when schema.TryGetProperty("items", out JsonElement items) =>
                value.EnumerateArray().SelectMany((item, i) => Faults(document, items, item, $"{place}[{i}]")),
            _ => [],
        };
    }

    private static List<string> OfObject(JsonElement document, JsonElement schema, JsonElement value, string place)
    {
        List<string> faults = [];
        bool described = schema.TryGetProperty("properties", out JsonElement properties);
        bool closed = schema.TryGetProperty("additionalProperties", out JsonElement others) && others.ValueKind == JsonValueKind.False;
        foreach (JsonProperty property in value.EnumerateObject())
        {
            if (described && properties.TryGetProperty(property.Name, out JsonElement own))
            {
                faults.AddRange(Faults(document, own, property.Value, $"{place}.{property.Name}"));
            }
            else if (closed)
            {
                faults.Add($"{place}.{property.Name}: not described");
            }
            else if (others.ValueKind == JsonValueKind.Object)
            {
                faults.AddRange(Faults(document, others, property.Value, $"{place}.{property.Name}"));
            }
        }

        if (schema.TryGetProperty("required", out JsonElement required))
        {
            faults.AddRange(required.EnumerateArray().Where(r => !value.TryGetProperty(r.GetString()!, out _)).Select(r => $"{place}.{r}: missing"));
        }

        return faults;
    }

    private static string[] TypesOf(JsonElement type) =>
        type.ValueKind == JsonValueKind.String ? [type.GetString()!] : [.. type.EnumerateArray().Select(t => t.GetString()!)];

    private static bool Is(string type, JsonElement value) => type switch
    {
        "null" => value.ValueKind == JsonValueKind.Null,
        "boolean" => value.ValueKind is JsonValueKind.True or JsonValueKind.False,
        "integer" => value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out _),
        "number" => value.ValueKind == JsonValueKind.Number,
        "string" => value.ValueKind == JsonValueKind.String,
        "array" => value.ValueKind == JsonValueKind.Array,
        _ => value.ValueKind == JsonValueKind.Object,
    };
}
