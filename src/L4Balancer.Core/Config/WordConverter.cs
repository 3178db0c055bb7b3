using System.Text.Json;
using System.Text.Json.Serialization;

namespace L4Balancer.Core.Config;

/// <summary>
/// Writes an enumeration as the word of the file, in lower case with hyphens. The converter of the framework, which also reads, takes 30 KB of native
/// code for each enumeration.
/// </summary>
/// <typeparam name="T">The enumeration.</typeparam>
public sealed class WordConverter<T> : JsonConverter<T>
    where T : struct, Enum
{
    /// <exception cref="NotSupportedException">Always: configurations are read from TOML.</exception>
    public override T Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        throw new NotSupportedException("configurations are read from TOML");

    public override void Write(Utf8JsonWriter writer, T value, JsonSerializerOptions options)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.WriteStringValue(JsonNamingPolicy.KebabCaseLower.ConvertName(value.ToString()));
    }
}
