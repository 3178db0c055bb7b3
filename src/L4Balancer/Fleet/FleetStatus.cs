using System.Collections.Immutable;
using L4Balancer.Core.Fleet;

namespace L4Balancer.Fleet;

/// <summary>What this balancer knows of its fleet at one moment. Immutable.</summary>
/// <param name="Fault">Why the store cannot be used; empty while it can.</param>
/// <param name="Since">When it became so.</param>
/// <param name="HeldBy">The host of another process that has the id of this one; empty if there is none.</param>
/// <param name="Members">The balancers that live, as far as is known; while the store is away, those that lived last.</param>
/// <param name="Compared">In what they differ; computed when somebody looks, because it takes time in proportion to all views.</param>
internal sealed record FleetStatus(
    string Name, string Id, string Fault, DateTimeOffset Since, string HeldBy, ImmutableArray<FleetMember> Members,
    Lazy<ImmutableArray<FleetDifference>> Compared, FleetIntents Intents)
{
    public ImmutableArray<FleetDifference> Differences => Compared.Value;

    public bool IsConnected => Fault.Length == 0;

    /// <summary>How many pools, backends or balancers differ; for version and configuration, how many values more than one there are.</summary>
    public int CountOf(DifferenceKind kind) => Differences.Where(d => d.Kind == kind)
        .Sum(static d => d.Kind is DifferenceKind.Version or DifferenceKind.Configuration ? d.Values.Values.Distinct().Count() - 1 : 1);

    public static Lazy<ImmutableArray<FleetDifference>> Compare(ImmutableArray<FleetMember> members) => new(() => FleetDifference.Between(members));
}
