using L4Balancer.Core.Config;

namespace L4Balancer.Core.Routing;

/// <summary>
/// All inputs of a snapshot except the counters that live on from the previous one: the file, and what was resolved or set since it was
/// read. Every change of the configuration in force is a change of this value. Immutable.
/// </summary>
/// <param name="File">The configuration in force: the file's, except for values that need a restart.</param>
/// <param name="MaxConnections">The limit that the file sets or, if it is 0 there, the one that the descriptor limit allows.</param>
public sealed record DesiredState(BalancerConfig File, int MaxConnections)
{
    /// <summary>The addresses that the host names in the file resolve to.</summary>
    public Resolutions Names { get; init; } = Resolutions.None;

    /// <summary>The backends that the sources of the pools are believed to have.</summary>
    public Discovered Discovered { get; init; } = Discovered.None;

    /// <summary>The pools of the file, each with all of its backends: those of the file, then those that were discovered.</summary>
    public IEnumerable<PoolSettings> Pools => File.Pools.Select(Discovered.Of);

    /// <summary>
    /// Where <c>round-robin</c> and <c>random-two</c> begin, and the seed of the hash of clients. The daemon draws one at its start; 0 is a fixed place.
    /// </summary>
    public ulong Seed { get; init; }

    /// <summary>What operators have set at run time.</summary>
    public BackendOverrides Overrides { get; init; } = BackendOverrides.None;

    /// <summary>1 for the file that the process started with; each file put in force later adds one.</summary>
    public long Generation { get; private init; } = 1;

    /// <summary>The state with another file: overrides stay unless it changes that very value or no longer has the backend.</summary>
    public DesiredState WithFile(BalancerConfig file, int maxConnections) => this with
    {
        File = file,
        MaxConnections = maxConnections,
        Overrides = Overrides.After(File, file),
        Generation = Generation + 1,
    };

    /// <summary>The state as the configuration of this number, because another process has had those before.</summary>
    /// <param name="generation">At least 1.</param>
    public DesiredState AsGeneration(long generation) => this with { Generation = Math.Max(1, generation) };

    /// <summary>The state after an operator has set a value of one backend.</summary>
    public DesiredState WithOverride(string pool, string backend, BackendOverride set) =>
        this with { Overrides = Overrides.With(pool, backend, set) };
}
