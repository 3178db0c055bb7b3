using System.Collections.Immutable;
using L4Balancer.Core.Accounting;

namespace L4Balancer.Core.Routing;

/// <summary>
/// Backends and listeners of earlier configurations. They are kept so that what they counted is not lost, and that one which comes
/// back goes on from there; of those that hold no connection only the latest few thousand. Immutable.
/// </summary>
/// <param name="Backends">The latest to leave first; their index means nothing any more.</param>
/// <param name="Listeners">The latest to leave first.</param>
public sealed record Departed(ImmutableArray<Backend> Backends, ImmutableArray<ListenerCell> Listeners)
{
    /// <summary>Without connections: a discovery that renames its backends with every change must not fill the memory.</summary>
    private const int MostAtRest = 4096;

    public static Departed Nothing { get; } = new([], []);

    /// <summary>What of the known is not there any more.</summary>
    /// <param name="known">The backends of the configuration until now, then those that had left it before.</param>
    /// <param name="knownListeners">In the same order.</param>
    internal static Departed Of(
        IEnumerable<Backend> known, IEnumerable<ListenerCell> knownListeners, ImmutableArray<Pool> pools, ImmutableArray<Listener> listeners)
    {
        HashSet<BackendCell> here = [.. pools.SelectMany(p => p.Backends).Select(b => b.Cell)];
        HashSet<ListenerCell> listening = [.. listeners.Select(l => l.Cell)];
        int atRest = 0;
        int listenersAtRest = 0;
        return new Departed(
            [.. known.Where(b => !here.Contains(b.Cell) && (b.Cell.Active > 0 || ++atRest <= MostAtRest))],
            [.. knownListeners.Where(l => !listening.Contains(l) && (l.Open > 0 || ++listenersAtRest <= MostAtRest))]);
    }
}
