using System.Collections.Immutable;
using L4Balancer.Core.Routing;

namespace L4Balancer.Core.Fleet;

/// <summary>What operators want of the backends of a fleet, as its store has it. Immutable.</summary>
public sealed class FleetIntents(ImmutableDictionary<(string Pool, string Backend), FleetIntent> intents)
{
    public static FleetIntents None { get; } = new(ImmutableDictionary<(string, string), FleetIntent>.Empty);

    /// <summary>In no particular order; also of backends that this balancer does not have.</summary>
    public IEnumerable<(string Pool, string Backend, FleetIntent Intent)> All => intents.Select(static i => (i.Key.Pool, i.Key.Backend, i.Value));

    /// <summary>Null: nobody has set anything.</summary>
    public FleetIntent? this[string pool, string backend] => intents.GetValueOrDefault((pool, backend));

    /// <summary>What holds on this balancer: for the backends that it has, and for those that have something set and are away at the moment.</summary>
    /// <param name="desired">What holds until now.</param>
    public BackendOverrides Over(DesiredState desired, DateTimeOffset now)
    {
        ArgumentNullException.ThrowIfNull(desired);
        Dictionary<(string, string), int> weights = desired.File.Pools.SelectMany(static p => p.Backends, static (p, b) => (Key: (p.Name, b.Name), b.Weight))
            .ToDictionary(static b => b.Key, static b => b.Weight);
        BackendOverrides merged = desired.Overrides;
        foreach ((string pool, string backend) in desired.Pools.SelectMany(static p => p.Backends, static (p, b) => (p.Name, b.Name))
            .Concat(desired.Overrides.All.Select(static o => (o.Pool, o.Backend))).Distinct())
        {
            BackendOverride before = desired.Overrides[pool, backend];
            int? fileWeight = weights.TryGetValue((pool, backend), out int weight) ? weight : null;
            BackendOverride after = IntentMerge.Over(before, this[pool, backend], fileWeight, now);
            merged = after == before ? merged : merged.With(pool, backend, after);
        }

        return merged;
    }
}
