using System.Collections.Immutable;
using L4Balancer.Core.Health;

namespace L4Balancer.Core.Fleet;

/// <summary>Something on which the balancers of a fleet do not agree. Immutable.</summary>
/// <param name="What">The pool, or <c>pool/backend</c>; empty for the kinds that concern a balancer as a whole.</param>
/// <param name="Values">What each balancer says that says anything, by its id.</param>
public sealed record FleetDifference(DifferenceKind Kind, string What, ImmutableSortedDictionary<string, string> Values)
{
    private const string Up = "up";
    private const string Down = "down";

    /// <summary>All of them, by kind and name. A balancer that lacks a pool or a backend differs in its configuration, and in nothing else.</summary>
    public static ImmutableArray<FleetDifference> Between(IReadOnlyCollection<FleetMember> members)
    {
        ArgumentNullException.ThrowIfNull(members);
        ImmutableArray<FleetDifference>.Builder found = ImmutableArray.CreateBuilder<FleetDifference>();
        Add(found, DifferenceKind.Version, "", members.Select(m => (m.Id, m.Version)));
        Add(found, DifferenceKind.Configuration, "", members.Select(m => (m.Id, m.Configuration)));
        foreach (IGrouping<string, (string Pool, string Id, string Hash)> pool in members
            .SelectMany(m => m.Rings, static (m, r) => (Pool: r.Key, m.Id, Hash: r.Value)).GroupBy(r => r.Pool).OrderBy(g => g.Key, StringComparer.Ordinal))
        {
            Add(found, DifferenceKind.Ring, pool.Key, pool.Select(r => (r.Id, r.Hash)));
        }

        foreach (IGrouping<string, (string Backend, string Id, string State)> backend in members
            .SelectMany(m => m.Health.SelectMany(p => p.Value, (p, b) => (Backend: $"{p.Key}/{b.Key}", m.Id, State: b.Value == HealthState.Up ? Up : Down)))
            .GroupBy(b => b.Backend).OrderBy(g => g.Key, StringComparer.Ordinal))
        {
            Add(found, DifferenceKind.Health, backend.Key, backend.Select(b => (b.Id, b.State)));
        }

        return found.ToImmutable();
    }

    private static void Add(
        ImmutableArray<FleetDifference>.Builder found, DifferenceKind kind, string what, IEnumerable<(string Id, string Value)> says)
    {
        ImmutableSortedDictionary<string, string> values = says.ToImmutableSortedDictionary(static s => s.Id, static s => s.Value, StringComparer.Ordinal);
        if (values.Values.Distinct().Skip(1).Any())
        {
            found.Add(new FleetDifference(kind, what, values));
        }
    }
}

/// <summary>What balancers can differ in.</summary>
public enum DifferenceKind
{
    Version,
    Configuration,
    Ring,
    Health,
}
