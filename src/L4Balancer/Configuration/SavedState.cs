using System.Collections.Immutable;
using System.Text.Json;
using System.Text.Json.Serialization;
using L4Balancer.Core.Config;
using L4Balancer.Core.Discovery;
using L4Balancer.Core.Routing;

namespace L4Balancer.Configuration;

/// <summary>The content of the state file: what operators have set at run time, and which backends were discovered.</summary>
/// <param name="Version">Of the format; <see cref="CurrentVersion"/>.</param>
internal sealed record SavedState(int Version, ImmutableArray<SavedBackend> Backends)
{
    public const int CurrentVersion = 1;

    /// <summary>Null if no source is believed. Older daemons do not know it.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<SavedSource>? Discovered { get; init; }

    /// <summary>In the order of the names, so that equal states are equal files.</summary>
    public static SavedState Of(DesiredState desired) => new(
        CurrentVersion,
        [
            .. desired.Overrides.Saved(desired.File)
                .OrderBy(static o => o.Pool, StringComparer.Ordinal).ThenBy(static o => o.Backend, StringComparer.Ordinal)
                .Select(static o => new SavedBackend(
                    o.Pool, o.Backend, o.Set.Mode, o.Set.Weight, o.FileWeight, SavedOrigin.Of(o.Set.ModeOrigin), SavedOrigin.Of(o.Set.WeightOrigin))),
        ])
    {
        Discovered = SourcesOf(desired),
    };

    public bool HasSameValues(SavedState other) => HasSameOverrides(other) && (Discovered ?? []).SequenceEqual(other.Discovered ?? []);

    public bool HasSameOverrides(SavedState other) => Version == other.Version && Backends.SequenceEqual(other.Backends);

    /// <summary>What is believed of the sources of a configuration until they have answered, by pool.</summary>
    public Dictionary<string, Belief> BeliefsFor(BalancerConfig config)
    {
        HashSet<string> discovering = [.. config.Pools.Where(static p => p.Discovery is not null).Select(static p => p.Name)];
        Dictionary<string, Belief> beliefs = [];
        foreach (SavedSource saved in (Discovered ?? []).Where(s => s?.Pool is not null && discovering.Contains(s.Pool)))
        {
            if (saved.ToBelief() is { Set: not null } belief)
            {
                beliefs[saved.Pool] = belief;
            }
        }

        return beliefs;
    }

    private static SavedSource[]? SourcesOf(DesiredState desired)
    {
        SavedSource[] sources =
            [.. desired.Discovered.Sets.OrderBy(static s => s.Pool, StringComparer.Ordinal).Select(static s => SavedSource.Of(s.Pool, s.Set))];
        return sources.Length > 0 ? sources : null;
    }

    /// <inheritdoc cref="BackendOverrides.Of"/>
    public BackendOverrides For(BalancerConfig config) => BackendOverrides.Of(
        Backends.Select(static b => new SavedOverride(
            b.Pool, b.Backend,
            new BackendOverride(b.Mode, b.Weight) { ModeOrigin = b.ModeOrigin?.Origin, WeightOrigin = b.WeightOrigin?.Origin }, b.FileWeight)),
        config);
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
