using System.Collections.Immutable;
using System.Text.Json;
using System.Text.Json.Serialization;
using L4Balancer.Core.Config;
using L4Balancer.Core.Routing;

namespace L4Balancer.Configuration;

/// <summary>The content of the state file: what operators have set at run time.</summary>
/// <param name="Version">Of the format; <see cref="CurrentVersion"/>.</param>
internal sealed record SavedState(int Version, ImmutableArray<SavedBackend> Backends)
{
    public const int CurrentVersion = 1;

    /// <summary>In the order of the names, so that equal states are equal files.</summary>
    public static SavedState Of(DesiredState desired)
    {
        Dictionary<(string, string), int> weights = Weights(desired.File);
        return new SavedState(CurrentVersion,
        [
            .. desired.Overrides.All
                .OrderBy(static o => o.Pool, StringComparer.Ordinal).ThenBy(static o => o.Backend, StringComparer.Ordinal)
                .Select(o => new SavedBackend(
                    o.Pool, o.Backend, o.Set.Mode, o.Set.Weight, o.Set.Weight is null ? null : FileWeight(weights, o.Pool, o.Backend),
                    SavedOrigin.Of(o.Set.ModeOrigin), SavedOrigin.Of(o.Set.WeightOrigin))),
        ]);
    }

    public bool HasSameValues(SavedState other) => Version == other.Version && Backends.SequenceEqual(other.Backends);

    /// <summary>
    /// What of it holds under a configuration, as after a reload: a backend that the file no longer has is left out, and so is a weight if the file
    /// has another one than when it was set.
    /// </summary>
    public BackendOverrides For(BalancerConfig config)
    {
        Dictionary<(string, string), int> weights = Weights(config);
        HashSet<string> discovering = [.. config.Pools.Where(static p => p.Discovery is not null).Select(static p => p.Name)];
        BackendOverrides overrides = BackendOverrides.None;
        foreach (SavedBackend saved in Backends)
        {
            if (weights.TryGetValue((saved.Pool, saved.Backend), out int weight))
            {
                int? set = saved.Weight != weight && saved.FileWeight == weight ? saved.Weight : null;
                overrides = overrides.With(saved.Pool, saved.Backend, new BackendOverride(saved.Mode, set)
                {
                    ModeOrigin = saved.ModeOrigin?.Origin,
                    WeightOrigin = set is null && saved.Weight is not null ? null : saved.WeightOrigin?.Origin,
                });
            }
            else if (discovering.Contains(saved.Pool))
            {
                // Which backends its source has is not known yet.
                overrides = overrides.With(saved.Pool, saved.Backend, new BackendOverride(saved.Mode, saved.Weight)
                {
                    ModeOrigin = saved.ModeOrigin?.Origin,
                    WeightOrigin = saved.WeightOrigin?.Origin,
                });
            }
        }

        return overrides;
    }

    // A backend that was discovered has none.
    private static int? FileWeight(Dictionary<(string, string), int> weights, string pool, string backend) =>
        weights.TryGetValue((pool, backend), out int weight) ? weight : null;

    private static Dictionary<(string Pool, string Backend), int> Weights(BalancerConfig config) => config.Pools
        .SelectMany(static p => p.Backends.Select(b => (Key: (p.Name, b.Name), b.Weight)))
        .ToDictionary(static b => b.Key, static b => b.Weight);
}

/// <param name="Weight">Null: the file's weight applies.</param>
/// <param name="FileWeight">The weight of the file when an operator set another one; null if none was set.</param>
/// <param name="ModeOrigin">Null if it is not known who set the mode, or none is set.</param>
/// <param name="WeightOrigin">As <paramref name="ModeOrigin"/>, for the weight.</param>
internal sealed record SavedBackend(
    string Pool, string Backend, [property: JsonConverter(typeof(SavedBackend.ModeConverter))] BackendMode Mode, int? Weight, int? FileWeight,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] SavedOrigin? ModeOrigin = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] SavedOrigin? WeightOrigin = null)
{
    private const int HeaviestWeight = 1000;

    [JsonIgnore]
    public bool IsValid => Pool is { Length: > 0 } && Backend is { Length: > 0 } && Enum.IsDefined(Mode)
        && (Weight is null or (>= 0 and <= HeaviestWeight));

    /// <summary><c>ready</c>, <c>draining</c>, <c>maintenance</c>.</summary>
    internal sealed class ModeConverter() : JsonStringEnumConverter<BackendMode>(JsonNamingPolicy.SnakeCaseLower, allowIntegerValues: false);
}

/// <summary>Who set a value, when, until when, and whether the fleet's store has it.</summary>
internal sealed record SavedOrigin(
    string Who, DateTimeOffset At, [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] DateTimeOffset? Until = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)] bool Shared = false)
{
    [JsonIgnore]
    public OverrideOrigin Origin => new(Who, At, Until) { IsShared = Shared };

    public static SavedOrigin? Of(OverrideOrigin? origin) =>
        origin is null ? null : new SavedOrigin(origin.Who, origin.At, origin.Until, origin.IsShared);
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, WriteIndented = true, RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(SavedState))]
internal sealed partial class SavedStateJson : JsonSerializerContext;
