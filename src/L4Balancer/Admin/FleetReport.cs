using L4Balancer.Admin.Answers;
using L4Balancer.Core.Config;
using L4Balancer.Core.Fleet;
using L4Balancer.Core.Routing;
using L4Balancer.Fleet;

namespace L4Balancer.Admin;

/// <summary>The fleet as the API shows it.</summary>
internal static class FleetReport
{
    public static FleetAnswer Of(FleetService fleet, DesiredState desired)
    {
        FleetStatus status = fleet.Status;
        return new FleetAnswer(
            status.Name, status.Id, status.IsConnected, status.Fault, status.Since.UtcDateTime, status.HeldBy,
            desired.File.Fleet?.Health == FleetHealth.Vote ? "vote" : "own", NotShared(desired), DisagreementOf(status),
            [.. status.Members.Select(m => Of(m, status.Id))],
            [.. status.Differences.Select(static d => new FleetDifferenceAnswer(NameOf(d.Kind), d.What, d.Values))],
            [.. Intents(status.Intents, desired).OrderBy(static i => i.Pool, StringComparer.Ordinal).ThenBy(static i => i.Backend, StringComparer.Ordinal)]);
    }

    public static FleetStatusAnswer? StatusOf(FleetService? fleet, DesiredState desired) => fleet?.Status is not { } status ? null : new FleetStatusAnswer(
        status.Name, status.Id, status.IsConnected, status.Fault, status.HeldBy, status.Members.Length, NotShared(desired), DisagreementOf(status));

    /// <param name="isFleet">Whether there is a fleet that may have it.</param>
    public static OriginAnswer? Of(OverrideOrigin? origin, bool isFleet) =>
        origin is null ? null : new OriginAnswer(origin.Who, origin.At.UtcDateTime, origin.Until?.UtcDateTime, isFleet ? origin.IsShared : null);

    /// <summary>The name as in metrics.</summary>
    public static string NameOf(DifferenceKind kind) => kind switch
    {
        DifferenceKind.Version => "version",
        DifferenceKind.Configuration => "configuration",
        DifferenceKind.Ring => "ring",
        _ => "health",
    };

    private static int NotShared(DesiredState desired) => desired.Overrides.All.Sum(static o =>
        (o.Set.ModeOrigin is { IsShared: false } ? 1 : 0) + (o.Set.WeightOrigin is { IsShared: false } ? 1 : 0));

    private static DisagreementAnswer DisagreementOf(FleetStatus status) => new(
        status.CountOf(DifferenceKind.Version), status.CountOf(DifferenceKind.Configuration), status.CountOf(DifferenceKind.Ring),
        status.CountOf(DifferenceKind.Health));

    private static FleetMemberAnswer Of(FleetMember member, string self) => new(
        member.Id, member.Id == self, member.Host, member.Version, member.Started.UtcDateTime,
        member.IsReady ? MemberDocument.Ready : MemberDocument.Draining, member.Configuration, member.Addresses, member.Rings,
        member.Health.SelectMany(static p => p.Value, static (p, b) => (Name: $"{p.Key}/{b.Key}", State: MemberDocument.NameOf(b.Value)))
            .ToDictionary(static b => b.Name, static b => b.State));

    // What holds here first, with what is not shared yet; then what the store has for backends that this balancer does not have.
    private static IEnumerable<FleetIntentAnswer> Intents(FleetIntents shared, DesiredState desired)
    {
        foreach ((string pool, string backend, BackendOverride set) in desired.Overrides.All)
        {
            if (set.ModeOrigin is { } mode)
            {
                yield return Of(pool, backend, IntentDocument.NameOf(set.Mode), mode, mode.IsShared);
            }

            if (set.WeightOrigin is { } weight)
            {
                yield return Of(pool, backend, set.Weight is int value ? value.ToString(System.Globalization.CultureInfo.InvariantCulture) : "file", weight, weight.IsShared);
            }
        }

        foreach ((string pool, string backend, FleetIntent intent) in shared.All.Where(i => desired.Overrides[i.Pool, i.Backend].IsEmpty))
        {
            if (intent.Mode is { Mode: not BackendMode.Ready } mode && desired.Pools.All(p => p.Name != pool || p.Backends.All(b => b.Name != backend)))
            {
                yield return Of(pool, backend, IntentDocument.NameOf(mode.Mode), mode.Origin, isShared: true);
            }
        }
    }

    private static FleetIntentAnswer Of(string pool, string backend, string value, OverrideOrigin origin, bool isShared) =>
        new(pool, backend, value, origin.Who, origin.At.UtcDateTime, origin.Until?.UtcDateTime, isShared);
}
