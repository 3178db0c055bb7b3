using System.Collections.Immutable;
using L4Balancer.Core.Config;

namespace L4Balancer.Core.Routing;

/// <summary>
/// What operators set at run time, by pool and backend name. An override survives a reload unless the file changes that very value or no
/// longer has the backend, and with a state file a restart too. In a pool with discovery it also survives that the backend is away. Immutable.
/// </summary>
public sealed class BackendOverrides
{
    private readonly ImmutableDictionary<(string Pool, string Backend), BackendOverride> _set;

    private BackendOverrides(ImmutableDictionary<(string Pool, string Backend), BackendOverride> set) => _set = set;

    public static BackendOverrides None { get; } = new(ImmutableDictionary<(string Pool, string Backend), BackendOverride>.Empty);

    /// <summary>What was set, in no particular order.</summary>
    public IEnumerable<(string Pool, string Backend, BackendOverride Set)> All => _set.Select(static s => (s.Key.Pool, s.Key.Backend, s.Value));

    /// <summary>The empty override if nothing was set.</summary>
    public BackendOverride this[string pool, string backend] => _set.GetValueOrDefault((pool, backend));

    public BackendOverrides With(string pool, string backend, BackendOverride set) =>
        new(set.IsEmpty ? _set.Remove((pool, backend)) : _set.SetItem((pool, backend), set));

    /// <summary>The same overrides without those that have ended; the same object if none has.</summary>
    public BackendOverrides At(DateTimeOffset now)
    {
        BackendOverrides left = this;
        foreach (((string pool, string backend), BackendOverride set) in _set)
        {
            left = set.Ends <= now ? left.With(pool, backend, set.At(now)) : left;
        }

        return left;
    }

    /// <summary>Each override changed by a function; the same object if it changes none.</summary>
    public BackendOverrides Select(Func<BackendOverride, BackendOverride> change)
    {
        ArgumentNullException.ThrowIfNull(change);
        BackendOverrides changed = this;
        foreach (((string pool, string backend), BackendOverride set) in _set)
        {
            BackendOverride after = change(set);
            changed = after == set ? changed : changed.With(pool, backend, after);
        }

        return changed;
    }

    /// <summary>The overrides that remain under a new file.</summary>
    public BackendOverrides After(BalancerConfig before, BalancerConfig now)
    {
        ArgumentNullException.ThrowIfNull(before);
        ArgumentNullException.ThrowIfNull(now);
        Dictionary<(string, string), int> weightsBefore = Weights(before);
        Dictionary<(string, string), int> weightsNow = Weights(now);
        HashSet<string> discovering = [.. now.Pools.Where(static p => p.Discovery is not null).Select(static p => p.Name)];
        BackendOverrides left = this;
        foreach (((string pool, string backend), BackendOverride set) in _set)
        {
            if (!weightsNow.TryGetValue((pool, backend), out int weight))
            {
                left = discovering.Contains(pool) ? left : left.With(pool, backend, default);
            }
            else if (set.Weight is not null && weight != weightsBefore.GetValueOrDefault((pool, backend), weight))
            {
                left = left.With(pool, backend, set with { Weight = null, WeightOrigin = null });
            }
        }

        return left;
    }

    /// <summary>Each with the weight that the file has for its backend, for another process that may have another file.</summary>
    public IEnumerable<SavedOverride> Saved(BalancerConfig config)
    {
        ArgumentNullException.ThrowIfNull(config);
        Dictionary<(string, string), int> weights = Weights(config);
        return All.Select(o => new SavedOverride(
            o.Pool, o.Backend, o.Set, o.Set.Weight is not null && weights.TryGetValue((o.Pool, o.Backend), out int weight) ? weight : null));
    }

    /// <summary>
    /// What of it holds under a configuration, as after a reload: a backend that the file no longer has is left out, and so is a weight if the file
    /// has another one than when it was set.
    /// </summary>
    public static BackendOverrides Of(IEnumerable<SavedOverride> saved, BalancerConfig config)
    {
        ArgumentNullException.ThrowIfNull(saved);
        ArgumentNullException.ThrowIfNull(config);
        Dictionary<(string, string), int> weights = Weights(config);
        HashSet<string> discovering = [.. config.Pools.Where(static p => p.Discovery is not null).Select(static p => p.Name)];
        BackendOverrides overrides = None;
        foreach ((string pool, string backend, BackendOverride set, int? fileWeight) in saved)
        {
            if (weights.TryGetValue((pool, backend), out int weight))
            {
                bool holds = set.Weight is null || (set.Weight != weight && fileWeight == weight);
                overrides = overrides.With(pool, backend, holds ? set : set with { Weight = null, WeightOrigin = null });
            }
            else if (discovering.Contains(pool))
            {
                // Which backends its source has is not known yet.
                overrides = overrides.With(pool, backend, set);
            }
        }

        return overrides;
    }

    private static Dictionary<(string Pool, string Backend), int> Weights(BalancerConfig config) => config.Pools
        .SelectMany(p => p.Backends.Select(b => (Key: (p.Name, b.Name), b.Weight)))
        .ToDictionary(b => b.Key, b => b.Weight);
}

/// <summary>What an operator has set for one backend, as it outlives the process.</summary>
/// <param name="FileWeight">The weight of the file when an operator set another one; null if none was set, or the file does not have the backend.</param>
public sealed record SavedOverride(string Pool, string Backend, BackendOverride Set, int? FileWeight);
