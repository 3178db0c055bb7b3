using System.Text.Json;
using System.Text.Json.Serialization;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Discovery;

namespace L4Balancer.Discovery;

/// <summary>
/// The JSON object by which a backend is registered under a key of etcd or in a node of ZooKeeper:
/// <c>{"address":"10.0.0.1:443","weight":100,"backup":false,"max_connections":0,"public_url":"wss://ws1.example.com/"}</c>. Only the address is
/// required; members that are not known here are ignored, so that registrars may add their own.
/// </summary>
internal sealed class RegisteredBackend
{
    private const int MaxWeight = 1000;

    // Init-only properties would lose their defaults: generated code sets all of them.
    public required string Address { get; set; }

    public int Weight { get; set; } = 100;

    public bool Backup { get; set; }

    public int MaxConnections { get; set; }

    public string PublicUrl { get; set; } = "";

    /// <param name="node">The name of the key or node; it becomes the name of the backend where it is one.</param>
    /// <param name="value">UTF-8.</param>
    /// <param name="backend">Null if the value is not that of a backend.</param>
    /// <param name="why">In a few words, without control characters; empty if there is a backend.</param>
    public static bool TryParse(string node, ReadOnlySpan<byte> value, out DiscoveredBackend? backend, out string why)
    {
        backend = null;
        RegisteredBackend? read;
        try
        {
            read = JsonSerializer.Deserialize(value, RegisteredJson.Default.RegisteredBackend);
        }
        catch (JsonException e)
        {
            why = value.IsEmpty ? "the value is empty"
                : e.Path is { Length: > 1 } path ? $"no backend can be read from its JSON at {Quoted.Text(path)}"
                : "the value is not a JSON object with an \"address\"";
            return false;
        }

        why = read is null ? "the value is not a JSON object with an \"address\"" : read.Fault(out Endpoint address) ?? Make(read, address, node, out backend);
        return backend is not null;
    }

    private static string Make(RegisteredBackend read, Endpoint address, string node, out DiscoveredBackend backend)
    {
        backend = new DiscoveredBackend(address)
        {
            Name = NameOf(node),
            Weight = read.Weight,
            Backup = read.Backup,
            MaxConnections = read.MaxConnections,
            PublicUrl = read.PublicUrl,
        };
        return "";
    }

    private string? Fault(out Endpoint address) =>
        !Endpoint.TryParse(Address, out address) ? $"the address {Quoted.Text(Address)} is not an IP address with a port"
        : address.Port == 0 || address.Address.IsAny || address.Address.IsLinkLocal6 ? $"the address {Quoted.Text(Address)} cannot be connected to"
        : Weight is < 0 or > MaxWeight ? $"the weight {Weight} is not one of 0 to {MaxWeight}"
        : MaxConnections < 0 ? $"max_connections is {MaxConnections}"
        : PublicUrl.Length > 0 && !BackendUrl.IsValid(PublicUrl) ? $"the public_url {Quoted.Text(PublicUrl)} is not a URL of http, https, ws or wss"
        : null;

    // A node that ZooKeeper has numbered gets another number with each registration of the same backend, and would be another backend each time.
    private static string NameOf(string node) => BackendSettings.IsName(node) && !IsNumbered(node) ? node : "";

    private static bool IsNumbered(string node) => node.Length >= 10 && node[^10..].All(char.IsAsciiDigit);
}

/// <summary>Reads what is registered by generated code.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, RespectNullableAnnotations = true, AllowDuplicateProperties = false)]
[JsonSerializable(typeof(RegisteredBackend))]
internal sealed partial class RegisteredJson : JsonSerializerContext;
