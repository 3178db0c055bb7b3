using System.Collections.Immutable;
using L4Balancer.Core.Accounting;

namespace L4Balancer.Core.Routing;

/// <summary>
/// Backends and listeners of earlier configurations, kept so that their counts are not lost and continue if they return; of those without
/// connections only the latest few thousand are kept. Immutable.
/// </summary>
/// <param name="Backends">The latest to leave first; their index is no longer valid.</param>
/// <param name="Listeners">The latest to leave first.</param>
public sealed record Removed(ImmutableArray<Backend> Backends, ImmutableArray<ListenerState> Listeners)
{
    /// <summary>
    /// The bound for those without connections: a discovery that renames its backends with every change must not fill the memory.
    /// </summary>
    private const int MostAtRest = 4096;

    public static Removed Nothing { get; } = new([], []);

    /// <summary>Collects the known backends and listeners that are no longer in the configuration.</summary>
    /// <param name="known">The backends of the previous configuration, then those that had left before.</param>
    /// <param name="knownListeners">In the same order.</param>
    internal static Removed Of(
        IEnumerable<Backend> known, IEnumerable<ListenerState> knownListeners, ImmutableArray<Pool> pools, ImmutableArray<Listener> listeners)
    {
        HashSet<BackendState> here = [.. pools.SelectMany(p => p.Backends).Select(b => b.State)];
        HashSet<ListenerState> listening = [.. listeners.Select(l => l.State)];
        int atRest = 0;
        int listenersAtRest = 0;
        return new Removed(
            [.. known.Where(b => !here.Contains(b.State) && (b.State.Active > 0 || ++atRest <= MostAtRest))],
            [.. knownListeners.Where(l => !listening.Contains(l) && (l.Open > 0 || ++listenersAtRest <= MostAtRest))]);
    }
}
