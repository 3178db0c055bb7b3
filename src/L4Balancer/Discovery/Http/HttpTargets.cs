using System.Collections.Immutable;
using System.Text.Json;
using System.Text.Json.Serialization;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Discovery;

namespace L4Balancer.Discovery.Http;

/// <summary>
/// A list of targets as Prometheus' HTTP service discovery defines it: <c>[{"targets":["10.0.0.1:443"],"labels":{"weight":"100"}}]</c>.
/// Labels are those of <see cref="BackendLabels"/> and hold for every target of their group; <c>name</c> only in a group of one.
/// </summary>
internal static class HttpTargets
{
    /// <summary>A list with more is taken for a mistake.</summary>
    public const int Most = 10_000;

    /// <summary>One target that cannot be used makes the whole reading unknown: leaving it out would remove a living backend.</summary>
    /// <param name="json">UTF-8.</param>
    public static SourceReading Read(ReadOnlySpan<byte> json, string version)
    {
        TargetGroup?[]? groups;
        try
        {
            groups = JsonSerializer.Deserialize(json, HttpTargetsJson.Default.TargetGroupArray);
        }
        catch (JsonException e)
        {
            return new SourceReading.Unknown(e.Path is { Length: > 1 } path
                ? $"the list of targets cannot be read at {Quoted.Text(path)}" : "the answer is not a JSON array of groups of targets");
        }

        if (groups is null)
        {
            return new SourceReading.Unknown("the answer is not a JSON array of groups of targets");
        }

        ImmutableArray<DiscoveredBackend>.Builder backends = ImmutableArray.CreateBuilder<DiscoveredBackend>();
        foreach (TargetGroup? group in groups)
        {
            if (group?.Targets is null)
            {
                return new SourceReading.Unknown("a group has no targets");
            }

            if (Add(group, group.Targets, backends) is string why)
            {
                return new SourceReading.Unknown(why);
            }
        }

        return new SourceReading.Complete(backends.ToImmutable(), version);
    }

    private static string? Add(TargetGroup group, string?[] targets, ImmutableArray<DiscoveredBackend>.Builder backends)
    {
        foreach (string? target in targets)
        {
            if (backends.Count == Most)
            {
                return $"more than {Most} targets are listed";
            }

            if (!Endpoint.TryParse(target, out Endpoint address) || address.Port == 0)
            {
                return $"the target {Quoted.Text(target ?? "null")} is not an IP address with a port";
            }

            DiscoveredBackend backend = BackendLabels.Apply(new DiscoveredBackend(address), group.Labels, out string why);
            if (why.Length > 0)
            {
                return $"{address}: {why}";
            }

            if (targets.Length > 1 && backend.PublicUrl.Length > 0)
            {
                return $"{address}: its public_url is that of a whole group; a group of its own is needed";
            }

            backends.Add(targets.Length > 1 ? backend with { Name = "" } : backend);
        }

        return null;
    }
}

internal sealed record TargetGroup(string?[]? Targets, Dictionary<string, string>? Labels);

/// <summary>Reads lists of targets by generated code.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, AllowDuplicateProperties = false)]
[JsonSerializable(typeof(TargetGroup[]))]
internal sealed partial class HttpTargetsJson : JsonSerializerContext;
