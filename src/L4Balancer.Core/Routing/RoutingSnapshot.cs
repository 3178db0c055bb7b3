using System.Collections.Immutable;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Balancing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Ports;
using L4Balancer.Core.Sticky;

namespace L4Balancer.Core.Routing;

/// <summary>
/// Everything that routing a connection needs, as one object that one writer replaces as a whole. Counters are carried over from snapshot
/// to snapshot by identity: listeners by name, backends by pool, name and address (as written, else as resolved), sources by address, ports
/// by source and destination. A pool without a change is the same object in the next snapshot, with its rings, health and ramps: the cost of
/// building a snapshot depends
/// on what has changed.
/// </summary>
public sealed class RoutingSnapshot
{
    private RoutingSnapshot(
        long generation, int maxConnections, BalancerState state, ImmutableArray<Pool> pools, ImmutableArray<Listener> listeners,
        ImmutableArray<LocalAddressState> sources)
    {
        Generation = generation;
        MaxConnections = maxConnections;
        State = state;
        Pools = pools;
        Listeners = listeners;
        Sources = sources;
    }

    /// <summary>Counts from 1 with each configuration put in force.</summary>
    public long Generation { get; }

    /// <summary>How many connections the process may hold, pending ones included.</summary>
    public int MaxConnections { get; }

    public BalancerState State { get; }

    public ImmutableArray<Pool> Pools { get; }

    public ImmutableArray<Listener> Listeners { get; }

    public ImmutableArray<LocalAddressState> Sources { get; }

    /// <summary>What an earlier file had and the current one lacks: its connections finish, and its counts are kept.</summary>
    public Removed Removed { get; private init; } = Removed.Nothing;

    public ConnectReports ConnectReports => State.ConnectReports;

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
            ? [] : previous.Pools.SelectMany(p => p.Backends).Concat(previous.Removed.Backends);
        IEnumerable<ListenerState> knownListeners = previous is null
            ? [] : previous.Listeners.Select(l => l.State).Concat(previous.Removed.Listeners);
        Dictionary<(string, string, string), BackendState> backendStates = StatesByAddress(knownBackends);
        Dictionary<(string, string, Endpoint), BackendState> statesByEndpoint = StatesByEndpoint(knownBackends);
        Dictionary<string, ListenerState> listenerStates = [];
        foreach (ListenerState known in knownListeners)
        {
            listenerStates.TryAdd(known.Name, known);
        }

        Dictionary<string, PoolState> poolStates = previous?.Pools.ToDictionary(p => p.Name, p => p.State) ?? [];
        foreach (Backend removed in previous?.Removed.Backends ?? [])
        {
            // A pool that returns continues its counts, as its backends do.
            poolStates.TryAdd(removed.State.Pool, removed.State.PoolState);
        }

        Dictionary<string, Pool> poolsBefore = previous?.Pools.ToDictionary(p => p.Name) ?? [];
        Dictionary<string, LocalAddressState> addressStates = previous?.Sources.ToDictionary(s => s.Label) ?? [];
        PortBook.Successor ports = (previous?.Ports ?? PortBook.Empty).Next();

        ImmutableArray<Pool> pools = [.. desired.Pools.Select(BuildPool)];
        Dictionary<string, Pool> poolsByName = pools.ToDictionary(p => p.Name);
        // Connections of many snapshots share one object as long as its values are the same.
        HashSet<ConnectionOrigin> origins = [.. previous?.Listeners.SelectMany(static l => l.Origins) ?? []];
        ImmutableArray<Listener> listeners =
        [
            .. desired.File.Listeners.Select(settings => new Listener(
                settings, listenerStates.GetValueOrDefault(settings.Name) ?? new ListenerState(settings.Name, desired.Seed),
                pool => poolsByName[pool], origin => origins.TryGetValue(origin, out ConnectionOrigin? before) ? before : origin)),
        ];
        return new RoutingSnapshot(
            desired.Generation, desired.MaxConnections, previous?.State ?? new BalancerState(), pools, listeners, [.. addressStates.Values])
        {
            Removed = Removed.Of(knownBackends, knownListeners, pools, listeners),
            Ports = ports.Finish(),
        };

        Pool BuildPool(PoolSettings settings)
        {
            PoolState state = poolStates.GetValueOrDefault(settings.Name)
                ?? new PoolState(settings.Name, desired.Seed, TupleHash.OfText(settings.Name));
            ImmutableArray<LocalAddressState> sources =
                settings.SourceIps.IsEmpty ? [SourceFor(null)] : [.. settings.SourceIps.Select(ip => SourceFor(ip))];
            ImmutableArray<Backend> backends = [.. settings.Backends.Select((b, i) => WithSources(BuildBackend(state, b, i), sources))];
            BackendMode[] modes = [.. settings.Backends.Select(b => desired.Overrides[settings.Name, b.Name].Mode)];
            return poolsBefore.TryGetValue(settings.Name, out Pool? before) && before.IsBuiltOf(settings, state, backends, modes)
                ? before
                : new Pool(settings, state, backends, new SourceRotation(sources), modes)
                {
                    Sticky = StickyTable.For(settings.Sticky, Pickers.KeyOf(settings), before?.Sticky, desired.Seed),
                };
        }

        Backend BuildBackend(PoolState pool, BackendSettings settings, int index)
        {
            // Another spelling of the same address is the same server: its connections and its health are those that are known.
            NameAddresses? addresses = settings.Host is { } name ? desired.Names[pool.Name, name] : null;
            Endpoint? endpoint = settings.Endpoint ?? (addresses is null ? null : new Endpoint(addresses.Current, settings.Host!.Value.Port));
            BackendState state = backendStates.GetValueOrDefault((pool.Name, settings.Name, settings.Address))
                ?? (endpoint is { } known ? statesByEndpoint.GetValueOrDefault((pool.Name, settings.Name, known)) : null)
                ?? new BackendState(pool, settings.Name) { Address = settings.Address };
            return new Backend(index, settings, state, desired.Overrides[pool.Name, settings.Name].Weight ?? settings.Weight).At(addresses);
        }

        Backend WithSources(Backend backend, ImmutableArray<LocalAddressState> sources) => !backend.IsResolved ? backend : backend with
        {
            Sources = backend.Endpoint.IsUnix ? [ports.OfUnix(backend.Endpoint)] :
            [
                .. sources.Where(s => s.Address is null || s.Address.Value.IsV4 == backend.Endpoint.Address.IsV4)
                    .Select(s => ports.Of(s, backend.Endpoint)),
            ],
        };

        LocalAddressState SourceFor(HostAddress? address)
        {
            var fresh = new LocalAddressState(address);
            addressStates.TryAdd(fresh.Label, fresh);
            return addressStates[fresh.Label];
        }
    }

    /// <summary>
    /// This snapshot with states that another process had, and that its configuration does not name: as if an earlier file had had them.
    /// </summary>
    /// <param name="ports">Of connections to the backends; those that are known already are left out, as are known states.</param>
    internal RoutingSnapshot WithRemoved(
        IEnumerable<Backend> backends, IEnumerable<ListenerState> listeners, IEnumerable<LocalAddressState> sources, IEnumerable<PortUse> ports)
    {
        HashSet<BackendState> here = [.. Pools.SelectMany(static p => p.Backends).Concat(Removed.Backends).Select(static b => b.State)];
        HashSet<ListenerState> listening = [.. Listeners.Select(static l => l.State), .. Removed.Listeners];
        return new RoutingSnapshot(
            Generation, MaxConnections, State, Pools, Listeners, [.. Sources, .. sources.Where(s => Sources.All(known => known.Address != s.Address))])
        {
            Removed = new Removed(
                [.. Removed.Backends, .. backends.Where(b => !here.Contains(b.State))],
                [.. Removed.Listeners, .. listeners.Where(l => !listening.Contains(l))]),
            Ports = Ports.With(ports),
        };
    }

    // The latest of each comes first. Another process may have handed over a second state of one that a later file names again.
    private static Dictionary<(string Pool, string Name, string Address), BackendState> StatesByAddress(IEnumerable<Backend> known)
    {
        Dictionary<(string, string, string), BackendState> states = [];
        foreach (Backend backend in known)
        {
            states.TryAdd((backend.State.Pool, backend.Name, backend.Settings.Address), backend.State);
        }

        return states;
    }

    // Likewise.
    private static Dictionary<(string Pool, string Name, Endpoint Endpoint), BackendState> StatesByEndpoint(IEnumerable<Backend> known)
    {
        Dictionary<(string, string, Endpoint), BackendState> states = [];
        foreach (Backend backend in known.Where(b => b.IsResolved))
        {
            states.TryAdd((backend.State.Pool, backend.Name, backend.Endpoint), backend.State);
        }

        return states;
    }
}
