using System.Collections.Immutable;
using System.Text.Json;
using System.Text.Json.Serialization;
using L4Balancer.Core.Fleet;
using L4Balancer.Core.Health;
using L4Balancer.Core.Routing;

namespace L4Balancer.Fleet;

/// <summary>The value of <c>members/{id}</c>: what a balancer publishes of itself.</summary>
/// <param name="State"><c>ready</c> or <c>draining</c>.</param>
/// <param name="Health"><c>up</c>, <c>degraded</c> or <c>down</c> by pool and backend.</param>
internal sealed record MemberDocument(
    string Instance, string? Host = null, string? Version = null, DateTimeOffset Started = default, string? Configuration = null, string? State = null,
    IReadOnlyList<string>? Addresses = null, IReadOnlyDictionary<string, string>? Rings = null,
    IReadOnlyDictionary<string, IReadOnlyDictionary<string, string>>? Health = null)
{
    public const string Ready = "ready";
    public const string Draining = "draining";

    private const int LongestText = 256;
    private const int MostAddresses = 64;

    public static byte[] Write(FleetMember member) => Of(member).ToBytes();

    public byte[] ToBytes() => JsonSerializer.SerializeToUtf8Bytes(this, FleetJson.Default.MemberDocument);

    public static MemberDocument Of(FleetMember member) => new(
        member.Instance, member.Host, member.Version, member.Started, member.Configuration, member.IsReady ? Ready : Draining, member.Addresses,
        member.Rings, member.Health.ToDictionary(
            static p => p.Key, static p => (IReadOnlyDictionary<string, string>)p.Value.ToDictionary(static b => b.Key, static b => NameOf(b.Value))));

    /// <returns>Null: the value is not one of a balancer.</returns>
    public static FleetMember? Read(string id, ReadOnlySpan<byte> value)
    {
        try
        {
            return JsonSerializer.Deserialize(value, FleetJson.Default.MemberDocument) is { } document
                && Texts(document).All(static t => t is null or { Length: <= LongestText }) ? document.ToMember(id) : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    public static string NameOf(HealthState state) => state switch
    {
        HealthState.Up => "up",
        HealthState.Degraded => "degraded",
        _ => "down",
    };

    private static IEnumerable<string?> Texts(MemberDocument document) =>
        [document.Instance, document.Host, document.Version, document.Configuration, document.State];

    private FleetMember ToMember(string id) => new(id, Instance)
    {
        Host = Host ?? "",
        Version = Version ?? "",
        Started = Started,
        Configuration = Configuration ?? "",
        Rings = Rings is null ? FleetMember.NoRings : FleetMember.NoRings.AddRange(Rings.Where(static r => r.Value is not null)),
        Health = Health is null ? FleetMember.NoHealth : FleetMember.NoHealth.AddRange(Health.Where(static p => p.Value is not null).Select(static p =>
            KeyValuePair.Create(p.Key, FleetMember.NoBackends.AddRange(p.Value.Select(static b => KeyValuePair.Create(b.Key, StateOf(b.Value))))))),
        Addresses = [.. (Addresses ?? []).OfType<string>().Take(MostAddresses)],
        IsReady = State == Ready,
    };

    private static HealthState StateOf(string name) => name switch
    {
        "up" => HealthState.Up,
        "degraded" => HealthState.Degraded,
        _ => HealthState.Down,
    };
}

/// <summary>The value of <c>intent/{pool}/{backend}</c>: what operators want of a backend.</summary>
internal sealed record IntentDocument(
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] ModeDocument? Mode = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] WeightDocument? Weight = null)
{
    private const int HeaviestWeight = 1000;

    public static byte[] Write(FleetIntent intent) => JsonSerializer.SerializeToUtf8Bytes(
        new IntentDocument(
            intent.Mode is { } mode ? new ModeDocument(NameOf(mode.Mode), mode.Origin.Who, mode.Origin.At, mode.Origin.Until) : null,
            intent.Weight is { } weight
                ? new WeightDocument(weight.Weight, weight.FileWeight, weight.Origin.Who, weight.Origin.At, weight.Origin.Until) : null),
        FleetJson.Default.IntentDocument);

    /// <returns>Null: the value is not an intent.</returns>
    public static FleetIntent? Read(ReadOnlySpan<byte> value)
    {
        try
        {
            if (JsonSerializer.Deserialize(value, FleetJson.Default.IntentDocument) is not { } document)
            {
                return null;
            }

            BackendMode? mode = document.Mode is null ? null : ModeOf(document.Mode.Value);
            bool isValid = (document.Mode is null || mode is not null) && document.Weight is null or { Value: >= 0 and <= HeaviestWeight };
            return !isValid ? null : new FleetIntent(
                document.Mode is { } m ? new ModeIntent(mode!.Value, new OverrideOrigin(m.Who ?? "", m.At, m.Until)) : null,
                document.Weight is { } w ? new WeightIntent(w.Value, w.FileWeight, new OverrideOrigin(w.Who ?? "", w.At, w.Until)) : null);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <summary>The word of the command that sets it.</summary>
    public static string NameOf(BackendMode mode) => mode switch
    {
        BackendMode.Draining => "drain",
        BackendMode.Maintenance => "maint",
        _ => "ready",
    };

    private static BackendMode? ModeOf(string? name) => name switch
    {
        "drain" => BackendMode.Draining,
        "maint" => BackendMode.Maintenance,
        "ready" => BackendMode.Ready,
        _ => null,
    };
}

/// <param name="Value"><c>drain</c>, <c>maint</c> or <c>ready</c>.</param>
internal sealed record ModeDocument(
    string? Value, string? Who, DateTimeOffset At, [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] DateTimeOffset? Until = null);

/// <param name="FileWeight">The weight of the file where it was set.</param>
internal sealed record WeightDocument(
    int Value, int FileWeight, string? Who, DateTimeOffset At,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] DateTimeOffset? Until = null);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(MemberDocument))]
[JsonSerializable(typeof(IntentDocument))]
[JsonSerializable(typeof(CarriedMembership))]
internal sealed partial class FleetJson : JsonSerializerContext;
