using System.Collections.Immutable;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Inspection;

namespace L4Balancer.Configuration;

/// <summary>
/// A configuration as JSON, with the keys and the words of the file and every default filled in. The values of header fields and of
/// <c>send</c>, which may contain a password, are hidden.
/// </summary>
internal static class ConfigJson
{
    /// <summary>Replaces a secret value.</summary>
    public const string Hidden = "***";

    // These properties are derived from the address as written.
    private static readonly string[] Derived = ["endpoint", "host"];

    private static readonly string[] DerivedOfConfig = ["from_environment"];

    private static readonly string[] DerivedOfRoute = ["rule"];

    // The source that is set says so.
    private static readonly string[] DerivedOfDiscovery = ["kind", "ca_certificates"];

    // The content of the file that ca_file names.
    private static readonly string[] CertificatesRead = ["ca_certificates"];

    private static readonly JsonSerializerOptions Options = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Converters =
        {
            new TextConverter<TimeSpan>(Duration.Format),
            new TextConverter<Endpoint>(static e => e.ToString()),
            new BindConverter(),
            new TextConverter<Cidr>(static c => c.ToString()),
            new TextConverter<HostAddress>(static a => a.ToString()),
            new TextConverter<ByteSize>(static s => s.ToString()),
            new TextConverter<HashKeyField>(static f => f.ToString()),
            new TextConverter<Uri>(WithoutCredentials),
            new TextConverter<StatusCodes>(static s => s.Text),
            new HiddenValuesConverter(),
            new TupleFieldsConverter(),
            new JsonStringEnumConverter<EngineKind>(JsonNamingPolicy.KebabCaseLower),
            new JsonStringEnumConverter<AccessLogMode>(JsonNamingPolicy.KebabCaseLower),
            new JsonStringEnumConverter<LogFormat>(JsonNamingPolicy.KebabCaseLower),
            new JsonStringEnumConverter<LogLevel>(JsonNamingPolicy.KebabCaseLower),
            new JsonStringEnumConverter<BalanceKind>(JsonNamingPolicy.KebabCaseLower),
            new JsonStringEnumConverter<InspectKind>(JsonNamingPolicy.KebabCaseLower),
            new JsonStringEnumConverter<InspectFailed>(JsonNamingPolicy.KebabCaseLower),
            new JsonStringEnumConverter<SendProxy>(JsonNamingPolicy.KebabCaseLower),
            new JsonStringEnumConverter<ListenerMode>(JsonNamingPolicy.KebabCaseLower),
            new JsonStringEnumConverter<PacketForward>(JsonNamingPolicy.KebabCaseLower),
            new JsonStringEnumConverter<OnPoolDown>(JsonNamingPolicy.KebabCaseLower),
            new JsonStringEnumConverter<OnBackendDown>(JsonNamingPolicy.KebabCaseLower),
            new JsonStringEnumConverter<OnBackendRemoved>(JsonNamingPolicy.KebabCaseLower),
            new JsonStringEnumConverter<HealthType>(JsonNamingPolicy.KebabCaseLower),
            new JsonStringEnumConverter<FleetHealth>(JsonNamingPolicy.KebabCaseLower),
            new JsonStringEnumConverter<SentinelRole>(JsonNamingPolicy.KebabCaseLower),
        },
        TypeInfoResolver = ConfigJsonContext.Default.WithAddedModifier(static type =>
        {
            string[] derived = type.Type == typeof(BackendSettings) ? Derived
                : type.Type == typeof(BalancerConfig) ? DerivedOfConfig
                : type.Type == typeof(HealthSettings) ? CertificatesRead
                : type.Type == typeof(DiscoverySettings) ? DerivedOfDiscovery
                : type.Type == typeof(RouteSettings) ? DerivedOfRoute : [];
            foreach (JsonPropertyInfo property in type.Properties.Where(p => derived.Contains(p.Name)).ToArray())
            {
                type.Properties.Remove(property);
            }

            if (type.Type == typeof(DiscoverySettings))
            {
                // Not a range of ports, unlike the addresses of a listener.
                type.Properties.Single(p => p.Name == "servers").CustomConverter = new ServersConverter();
            }

            if (type.Type == typeof(HealthSettings))
            {
                type.Properties.Single(p => p.Name == "send").Get =
                    static settings => ((HealthSettings)settings).Send.Length > 0 ? Hidden : "";
            }
        }),
    };

    // A reader of the configuration need not know the credentials.
    private static string WithoutCredentials(Uri uri) =>
        uri.UserInfo.Length == 0 ? uri.OriginalString : new UriBuilder(uri) { UserName = Hidden, Password = "" }.Uri.ToString();

    /// <summary>The configuration as it may be shown: what came from the environment is as the file writes it.</summary>
    public static JsonObject Of(BalancerConfig config)
    {
        JsonObject all = WithValuesOf(config);
        EnvironmentMask.Apply(all, config.FromEnvironment);
        return all;
    }

    /// <summary>As <see cref="Of"/>, with what came from the environment; not to be shown.</summary>
    public static JsonObject WithValuesOf(BalancerConfig config)
    {
        JsonObject all = JsonSerializer.SerializeToNode(
            config, (JsonTypeInfo<BalancerConfig>)Options.GetTypeInfo(typeof(BalancerConfig)))!.AsObject();
        foreach (JsonNode? pool in all["pools"]!.AsArray())
        {
            // Both parts of the key are one array in the file.
            JsonArray key = pool!["hash_key"]!.AsArray();
            JsonArray fields = pool["hash_fields"]!.AsArray();
            pool.AsObject().Remove("hash_fields");
            foreach (JsonNode? field in fields)
            {
                key.Add(field!.DeepClone());
            }
        }

        return all;
    }

    /// <summary>A value that the file writes as a string.</summary>
    private sealed class TextConverter<T>(Func<T, string> format) : JsonConverter<T>
    {
        public override T Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            throw new NotSupportedException("configurations are read from TOML");

        public override void Write(Utf8JsonWriter writer, T value, JsonSerializerOptions options) => writer.WriteStringValue(format(value));
    }

    /// <summary>The addresses of a listener: a range of ports as a range.</summary>
    private sealed class BindConverter : JsonConverter<ImmutableArray<Endpoint>>
    {
        public override ImmutableArray<Endpoint> Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            throw new NotSupportedException("configurations are read from TOML");

        public override void Write(Utf8JsonWriter writer, ImmutableArray<Endpoint> value, JsonSerializerOptions options)
        {
            writer.WriteStartArray();
            foreach (string addresses in PortSpan.Compact(value))
            {
                writer.WriteStringValue(addresses);
            }

            writer.WriteEndArray();
        }
    }

    private sealed class ServersConverter : JsonConverter<ImmutableArray<Endpoint>>
    {
        public override ImmutableArray<Endpoint> Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            throw new NotSupportedException("configurations are read from TOML");

        public override void Write(Utf8JsonWriter writer, ImmutableArray<Endpoint> value, JsonSerializerOptions options)
        {
            writer.WriteStartArray();
            foreach (Endpoint server in value)
            {
                writer.WriteStringValue(server.ToString());
            }

            writer.WriteEndArray();
        }
    }

    /// <summary>Header fields: they may contain a token, which a reader of the configuration must not see.</summary>
    private sealed class HiddenValuesConverter : JsonConverter<ImmutableSortedDictionary<string, string>>
    {
        public override ImmutableSortedDictionary<string, string> Read(
            ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            throw new NotSupportedException("configurations are read from TOML");

        public override void Write(Utf8JsonWriter writer, ImmutableSortedDictionary<string, string> value, JsonSerializerOptions options)
        {
            writer.WriteStartObject();
            foreach (string name in value.Keys)
            {
                writer.WriteString(name, Hidden);
            }

            writer.WriteEndObject();
        }
    }

    private sealed class TupleFieldsConverter : JsonConverter<TupleFields>
    {
        private static readonly TupleFields[] InOrder =
            [TupleFields.SourceIp, TupleFields.SourceNet, TupleFields.SourcePort, TupleFields.DestinationIp, TupleFields.DestinationPort];

        public override TupleFields Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            throw new NotSupportedException("configurations are read from TOML");

        public override void Write(Utf8JsonWriter writer, TupleFields value, JsonSerializerOptions options)
        {
            writer.WriteStartArray();
            foreach (TupleFields field in InOrder.Where(f => value.HasFlag(f)))
            {
                writer.WriteStringValue(JsonNamingPolicy.KebabCaseLower.ConvertName(field.ToString()));
            }

            writer.WriteEndArray();
        }
    }
}
