using System.Collections.Immutable;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Discovery;

namespace L4Balancer.Discovery.Consul;

/// <summary>
/// The answer of Consul's <c>/v1/health/service/NAME</c> (Consul's HTTP API, "Health"): each instance that passes its checks is a backend.
/// Its metadata may hold the texts of <see cref="BackendLabels"/>, and its tag <c>backup</c> makes it a backup.
/// </summary>
internal static class ConsulInstances
{
    /// <summary>A service with more instances is taken for a mistake.</summary>
    public const int Most = 10_000;

    private const int DefaultWeight = 100;
    private const int MaxWeight = 1000;

    /// <summary>One instance that cannot be used makes the whole reading unknown: leaving it out would remove a living backend.</summary>
    /// <param name="json">UTF-8.</param>
    public static SourceReading Read(ReadOnlySpan<byte> json, string version)
    {
        ConsulEntry?[]? entries;
        try
        {
            entries = JsonSerializer.Deserialize(json, ConsulJson.Default.ConsulEntryArray);
        }
        catch (JsonException e)
        {
            return new SourceReading.Unknown(e.Path is { Length: > 1 } path
                ? $"the list of instances cannot be read at {Quoted.Text(path)}" : "the answer is not a JSON array of instances");
        }

        if (entries is null || entries.Length > Most)
        {
            return new SourceReading.Unknown(entries is null ? "the answer is not a JSON array of instances" : $"more than {Most} instances");
        }

        int heaviest = entries.Max(e => e?.Service?.Weights?.Passing) ?? 1;
        ImmutableArray<DiscoveredBackend>.Builder backends = ImmutableArray.CreateBuilder<DiscoveredBackend>(entries.Length);
        foreach (ConsulEntry? entry in entries)
        {
            if (TryRead(entry, heaviest, out DiscoveredBackend? backend) is string why)
            {
                return new SourceReading.Unknown($"{Quoted.Text(entry?.Service?.Id ?? "")}: {why}");
            }

            backends.Add(backend!);
        }

        return new SourceReading.Complete(backends.ToImmutable(), version);
    }

    private static string? TryRead(ConsulEntry? entry, int heaviest, out DiscoveredBackend? backend)
    {
        backend = null;
        if (entry?.Service is not { } service)
        {
            return "an instance has no service";
        }

        string address = string.IsNullOrEmpty(service.Address) ? entry.Node?.Address ?? "" : service.Address;
        if (!HostAddress.TryParse(address, out HostAddress host))
        {
            return $"the address {Quoted.Text(address)} is not an IP address";
        }

        if (service.Port is < 1 or > ushort.MaxValue)
        {
            return string.Create(CultureInfo.InvariantCulture, $"the port {service.Port} is not one of 1 to 65535");
        }

        if (service.Weights?.Passing < 0)
        {
            return string.Create(CultureInfo.InvariantCulture, $"the weight {service.Weights.Passing} is negative");
        }

        backend = BackendLabels.Apply(
            new DiscoveredBackend(new Endpoint(host, (ushort)service.Port))
            {
                Name = NameOf(entry.Node?.Node ?? "", service),
                Weight = Scale(service.Weights?.Passing ?? 1, heaviest),
                Backup = service.Tags?.Contains("backup") ?? false,
            },
            service.Meta, out string why);
        return why.Length > 0 ? why : null;
    }

    /// <summary>
    /// Consul's weight of 1, the default, is ours of 100. Where that would go beyond 1000, the heaviest instance has 1000, and the others
    /// their share of it.
    /// </summary>
    private static int Scale(int weight, int heaviest) =>
        heaviest <= MaxWeight / DefaultWeight ? weight * DefaultWeight
        : weight == 0 ? 0 : (int)Math.Max(1, Math.Round((double)weight * MaxWeight / heaviest));

    // An identifier is unique on its node only, and is the name of the service where none was given.
    private static string NameOf(string node, ConsulService service) =>
        string.IsNullOrEmpty(service.Id) || service.Id == service.Service ? node : $"{node}.{service.Id}";
}

internal sealed record ConsulEntry(ConsulNode? Node, ConsulService? Service);

internal sealed record ConsulNode(string? Node, string? Address);

internal sealed record ConsulService(
    [property: JsonPropertyName("ID")] string? Id, string? Service, string? Address, int Port, string[]? Tags,
    Dictionary<string, string>? Meta, ConsulWeights? Weights);

internal sealed record ConsulWeights(int Passing);

/// <summary>Reads Consul's answers by generated code.</summary>
[JsonSerializable(typeof(ConsulEntry[]))]
internal sealed partial class ConsulJson : JsonSerializerContext;
