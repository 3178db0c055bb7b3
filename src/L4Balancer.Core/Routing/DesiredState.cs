using L4Balancer.Core.Config;

namespace L4Balancer.Core.Routing;

/// <summary>
/// Everything that a snapshot is built from, but for what counts and lives on from the snapshot before: the file, and what came to be known
/// or was set since it was read. Every change of the configuration in force is a change of this value. Immutable.
/// </summary>
/// <param name="File">The configuration as it is in force: the file's, except for values that need a restart.</param>
/// <param name="MaxConnections">What the file or, where it says 0, the descriptor limit allows.</param>
public sealed record DesiredState(BalancerConfig File, int MaxConnections)
{
    /// <summary>Which addresses the host names in the file resolve to.</summary>
    public Resolutions Names { get; init; } = Resolutions.None;

    /// <summary>What operators have set at run time.</summary>
    public BackendOverrides Overrides { get; init; } = BackendOverrides.None;

    /// <summary>1 for the file that the process started with; each file put in force after it counts one more.</summary>
    public long Generation { get; private init; } = 1;

    /// <summary>The state after another file: overrides stay unless it changes that very value or no longer has the backend.</summary>
    public DesiredState WithFile(BalancerConfig file, int maxConnections) => this with
    {
        File = file,
        MaxConnections = maxConnections,
        Overrides = Overrides.After(File, file),
        Generation = Generation + 1,
    };

    /// <summary>The state after an operator has set something of one backend.</summary>
    public DesiredState WithOverride(string pool, string backend, BackendOverride set) =>
        this with { Overrides = Overrides.With(pool, backend, set) };
}
