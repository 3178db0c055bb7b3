using System.Text.Json;
using System.Text.Json.Serialization;
using L4Balancer.Logging;

namespace L4Balancer.Admin.Client;

/// <summary>
/// Reads every text of an answer without the characters that could control the terminal or disguise what is shown: a command may be talking to
/// something that only looks like a daemon.
/// </summary>
internal sealed class MaskedText : JsonConverter<string>
{
    public override string Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        LogText.ForTerminal(reader.GetString() ?? "");

    public override string ReadAsPropertyName(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        LogText.ForTerminal(reader.GetString() ?? "");

    public override void Write(Utf8JsonWriter writer, string value, JsonSerializerOptions options) => writer.WriteStringValue(value);

    public override void WriteAsPropertyName(Utf8JsonWriter writer, string value, JsonSerializerOptions options) =>
        writer.WritePropertyName(value);
}
