using System.Collections.Immutable;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Ports;

namespace L4Balancer.Core.Routing;

/// <summary>
/// Everything that routing a connection needs, as one object that one writer replaces as a whole. The counting cells live on from snapshot
/// to snapshot by identity: listeners by name, backends by pool, name and address, sources by address, ports by source and destination. A
/// pool without a change is the same object in the next snapshot, with its rings, health and ramps: the cost of building a snapshot depends
/// on what has changed.
/// </summary>
public sealed class RoutingSnapshot
{
    private RoutingSnapshot(
        long generation, int maxConnections, BalancerCell cell, ImmutableArray<Pool> pools, ImmutableArray<Listener> listeners,
        ImmutableArray<SourceCell> sources)
    {
        Generation = generation;
        MaxConnections = maxConnections;
        Cell = cell;
        Pools = pools;
        Listeners = listeners;
        Sources = sources;
    }

    /// <summary>Counts from 1 with each configuration put in force.</summary>
    public long Generation { get; }

    /// <summary>How many connections the process may hold, pending ones included.</summary>
    public int MaxConnections { get; }

    public BalancerCell Cell { get; }

    public ImmutableArray<Pool> Pools { get; }

    public ImmutableArray<Listener> Listeners { get; }

    public ImmutableArray<SourceCell> Sources { get; }

    /// <summary>What an earlier file had and the current one lacks: its connections finish, and its counts are kept.</summary>
    public Departed Departed { get; private init; } = Departed.Nothing;

    public ConnectReports ConnectReports { get; private init; } = new();

    /// <summary>The local ports in use, by source address and destination.</summary>
    public PortBook Ports { get; private init; } = PortBook.Empty;

    /// <summary>
    /// Builds the desired state. Whatever <paramref name="previous"/> already has of it is reused: counters, ports, and the pools without a
    /// change.
    /// </summary>
    /// <param name="previous">The snapshot in force until now, or null at start.</param>
    public static RoutingSnapshot Build(DesiredState desired, RoutingSnapshot? previous = null)
    {
        ArgumentNullException.ThrowIfNull(desired);
        IEnumerable<Backend> knownBackends = previous is null
            ? [] : previous.Pools.SelectMany(p => p.Backends).Concat(previous.Departed.Backends);
        IEnumerable<ListenerCell> knownListeners = previous is null
            ? [] : previous.Listeners.Select(l => l.Cell).Concat(previous.Departed.Listeners);
        Dictionary<(string, string, string), BackendCell> backendCells =
            knownBackends.ToDictionary(b => (b.Cell.Pool, b.Name, b.Settings.Address), b => b.Cell);
        Dictionary<string, ListenerCell> listenerCells = knownListeners.ToDictionary(l => l.Name);
        Dictionary<string, PoolCell> poolCells = previous?.Pools.ToDictionary(p => p.Name, p => p.Cell) ?? [];
        foreach (Backend departed in previous?.Departed.Backends ?? [])
        {
            // A pool that returns continues its counts, as its backends do.
            poolCells.TryAdd(departed.Cell.Pool, departed.Cell.PoolCell);
        }

        Dictionary<string, Pool> poolsBefore = previous?.Pools.ToDictionary(p => p.Name) ?? [];
        Dictionary<string, SourceCell> sourceCells = previous?.Sources.ToDictionary(s => s.Label) ?? [];
        PortBook.Successor ports = (previous?.Ports ?? PortBook.Empty).Next();

        ImmutableArray<Pool> pools = [.. desired.File.Pools.Select(BuildPool)];
        Dictionary<string, Pool> poolsByName = pools.ToDictionary(p => p.Name);
        Dictionary<ListenerCell, ConnectionOrigin> origins = previous?.Listeners.ToDictionary(l => l.Cell, l => l.Origin) ?? [];
        ImmutableArray<Listener> listeners = [.. desired.File.Listeners.Select(BuildListener)];
        return new RoutingSnapshot(
            desired.Generation, desired.MaxConnections, previous?.Cell ?? new BalancerCell(), pools, listeners, [.. sourceCells.Values])
        {
            Departed = Departed.Of(knownBackends, knownListeners, pools, listeners),
            ConnectReports = previous?.ConnectReports ?? new ConnectReports(),
            Ports = ports.Finish(),
        };

        Listener BuildListener(ListenerSettings settings)
        {
            var listener = new Listener(
                settings, poolsByName[settings.Pool], listenerCells.GetValueOrDefault(settings.Name) ?? new ListenerCell(settings.Name));

            // Connections of many snapshots share one object as long as its values are the same.
            return origins.TryGetValue(listener.Cell, out ConnectionOrigin? before) && before == listener.Origin
                ? listener with { Origin = before }
                : listener;
        }

        Pool BuildPool(PoolSettings settings)
        {
            PoolCell cell = poolCells.GetValueOrDefault(settings.Name) ?? new PoolCell(settings.Name);
            ImmutableArray<SourceCell> sources =
                settings.SourceIps.IsEmpty ? [SourceFor(null)] : [.. settings.SourceIps.Select(ip => SourceFor(ip))];
            ImmutableArray<Backend> backends = [.. settings.Backends.Select((b, i) => WithSources(BuildBackend(cell, b, i), sources))];
            BackendMode[] modes = [.. settings.Backends.Select(b => desired.Overrides[settings.Name, b.Name].Mode)];
            return poolsBefore.TryGetValue(settings.Name, out Pool? before) && before.IsBuiltOf(settings, cell, backends, modes)
                ? before
                : new Pool(settings, cell, backends, new SourceRotation(sources), modes);
        }

        Backend BuildBackend(PoolCell pool, BackendSettings settings, int index)
        {
            var backend = new Backend(
                index, settings,
                backendCells.GetValueOrDefault((pool.Name, settings.Name, settings.Address)) ?? new BackendCell(pool, settings.Name),
                desired.Overrides[pool.Name, settings.Name].Weight ?? settings.Weight);
            return settings.Host is { } name ? backend.At(desired.Names[pool.Name, name.Host]) : backend;
        }

        Backend WithSources(Backend backend, ImmutableArray<SourceCell> sources) => !backend.IsResolved ? backend : backend with
        {
            Sources =
            [
                .. sources.Where(s => s.Address is null || s.Address.Value.IsV4 == backend.Endpoint.Address.IsV4)
                    .Select(s => ports.Of(s, backend.Endpoint)),
            ],
        };

        SourceCell SourceFor(HostAddress? address)
        {
            var fresh = new SourceCell(address);
            sourceCells.TryAdd(fresh.Label, fresh);
            return sourceCells[fresh.Label];
        }
    }
}
