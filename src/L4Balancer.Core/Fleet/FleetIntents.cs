using System.Collections.Immutable;
using L4Balancer.Core.Config;
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

    /// <summary>What holds on this balancer, which has these backends.</summary>
    /// <param name="local">What holds until now.</param>
    public BackendOverrides Over(BackendOverrides local, BalancerConfig config, DateTimeOffset now)
    {
        ArgumentNullException.ThrowIfNull(local);
        ArgumentNullException.ThrowIfNull(config);
        BackendOverrides merged = local;
        foreach (PoolSettings pool in config.Pools)
        {
            foreach (BackendSettings backend in pool.Backends)
            {
                BackendOverride before = local[pool.Name, backend.Name];
                BackendOverride after = IntentMerge.Over(before, this[pool.Name, backend.Name], backend.Weight, now);
                merged = after == before ? merged : merged.With(pool.Name, backend.Name, after);
            }
        }

        return merged;
    }
}
