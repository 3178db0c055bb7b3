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

    private static Dictionary<(string Pool, string Backend), int> Weights(BalancerConfig config) => config.Pools
        .SelectMany(p => p.Backends.Select(b => (Key: (p.Name, b.Name), b.Weight)))
        .ToDictionary(b => b.Key, b => b.Weight);
}
