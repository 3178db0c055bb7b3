using System.Text.Json.Serialization;

namespace L4Balancer.Admin.Answers;

/// <summary>GET /v1/fleet: what this balancer knows of its fleet.</summary>
/// <param name="Connected">Whether etcd answers; otherwise the rest is what was known last.</param>
/// <param name="Fault">Why not; empty if it does.</param>
/// <param name="Since">When <paramref name="Connected"/> became so.</param>
/// <param name="IdHeldBy">Another process that has the id of this balancer; empty if there is none.</param>
/// <param name="Health"><c>own</c> or <c>vote</c>.</param>
/// <param name="NotShared">How many settings of operators etcd does not have yet.</param>
internal sealed record FleetAnswer(
    string Name, string Id, bool Connected, string Fault, DateTime Since, string IdHeldBy, string Health, int NotShared, DisagreementAnswer Disagreement,
    IReadOnlyList<FleetMemberAnswer> Members, IReadOnlyList<FleetDifferenceAnswer> Differences, IReadOnlyList<FleetIntentAnswer> Intents);

/// <summary>Balancer of a fleet.</summary>
/// <param name="State"><c>ready</c> or <c>draining</c>.</param>
/// <param name="Configuration">Hash over the listeners and pools in force.</param>
/// <param name="Rings">Hash over what the balance of each pool chooses by.</param>
/// <param name="Backends">What its own probes say, <c>up</c>, <c>degraded</c> or <c>down</c>, by <c>pool/backend</c>.</param>
internal sealed record FleetMemberAnswer(
    string Id, bool Self, string Host, string Version, DateTime Started, string State, string Configuration, IReadOnlyList<string> Addresses,
    IReadOnlyDictionary<string, string> Rings, IReadOnlyDictionary<string, string> Backends);

/// <summary>In how much the balancers differ, as <c>fleet_disagreement</c>.</summary>
internal sealed record DisagreementAnswer(int Version, int Configuration, int Ring, int Health);

/// <param name="Kind"><c>version</c>, <c>configuration</c>, <c>ring</c> or <c>health</c>.</param>
/// <param name="What">The pool, or <c>pool/backend</c>; empty for a version or a configuration.</param>
/// <param name="Values">What each balancer says, by its id.</param>
internal sealed record FleetDifferenceAnswer(string Kind, string What, IReadOnlyDictionary<string, string> Values);

/// <summary>What operators want of a backend, on all balancers.</summary>
/// <param name="Value"><c>drain</c>, <c>maint</c>, <c>ready</c> or a weight.</param>
/// <param name="Shared">False: only this balancer knows of it yet.</param>
internal sealed record FleetIntentAnswer(string Pool, string Backend, string Value, string Who, DateTime At, DateTime? Until, bool Shared);

/// <summary>The fleet in GET /v1/status.</summary>
/// <param name="Fault">Why etcd does not answer; empty if it does.</param>
/// <param name="NotShared">How many settings of operators etcd does not have yet.</param>
internal sealed record FleetStatusAnswer(
    string Name, string Id, bool Connected, string Fault, string IdHeldBy, int Members, int NotShared, DisagreementAnswer Disagreement);

/// <summary>Who set a value of a backend at run time.</summary>
/// <param name="Until">When it ends by itself; null: never.</param>
/// <param name="Shared">Whether the whole fleet has it; null without a fleet.</param>
internal sealed record OriginAnswer(
    string Who, DateTime At, DateTime? Until, [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] bool? Shared);
