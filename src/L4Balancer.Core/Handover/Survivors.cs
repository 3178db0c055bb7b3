using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Balancing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Ports;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Sticky;

namespace L4Balancer.Core.Handover;

/// <summary>
/// Finds the listeners, pools and backends that the connections and counters of another process go on with: those of the configuration with the
/// same names (and of a backend, the same address), and for names that it does not have one state each, as if an earlier file had had them. The
/// snapshot shows the latter after <see cref="JoinTo"/>. Any thread.
/// </summary>
/// <param name="seed">As <see cref="DesiredState.Seed"/>.</param>
public sealed class Survivors(ulong seed)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, ListenerState> _listeners = [];
    private readonly Dictionary<string, PoolState> _pools = [];
    private readonly List<Backend> _backends = [];
    private readonly Dictionary<(HostAddress?, Endpoint), PortUse> _ports = [];
    private readonly HashSet<ConnectionOrigin> _origins = [];
    private readonly List<LocalAddressState> _sources = [];
    private readonly HashSet<StickyTable> _sticky = [];
    private Index? _index;
    private int _made;

    /// <summary>
    /// Grows whenever a state is made that no snapshot has yet: then the one in force is to be replaced by <see cref="JoinTo"/>, so that metrics and
    /// listings show it, and the next reload keeps it.
    /// </summary>
    public int Made
    {
        get
        {
            lock (_gate)
            {
                return _made;
            }
        }
    }

    /// <summary>A snapshot of the same generation that has these states as removed ones. Only the one writer of snapshots calls this.</summary>
    public RoutingSnapshot JoinTo(RoutingSnapshot snapshot)
    {
        ArgumentNullException.ThrowIfNull(snapshot);
        lock (_gate)
        {
            return snapshot.WithRemoved(_backends, _listeners.Values, _sources, _ports.Values);
        }
    }

    internal ListenerState ListenerOf(RoutingSnapshot snapshot, string name)
    {
        lock (_gate)
        {
            return Known(snapshot).Listeners.TryGetValue(name, out (ListenerState State, Listener? Listener) known) ? known.State
                : Keep(_listeners, name, new ListenerState(name, seed));
        }
    }

    internal PoolState PoolOf(RoutingSnapshot snapshot, string name)
    {
        lock (_gate)
        {
            return FindPool(snapshot, name);
        }
    }

    /// <param name="address">As written; empty: not known.</param>
    /// <param name="destination">What a connection to it is connected to; null: not known.</param>
    internal Backend BackendOf(RoutingSnapshot snapshot, string pool, string name, string address, Endpoint? destination)
    {
        lock (_gate)
        {
            Index known = Known(snapshot);
            if (known.Backends.TryGetValue((pool, name), out List<Backend>? same) && Find(same, address, destination) is { } found)
            {
                return found;
            }

            PoolState state = FindPool(snapshot, pool);
            string text = address.Length > 0 ? address : destination is { } end ? end.ToString() : "unknown";
            Endpoint? at = Parse(text);
            var made = new Backend(0, new BackendSettings { Name = name, Address = text, Endpoint = at }, new BackendState(state, name) { Address = text }, Weight: 0)
            {
                Endpoint = at ?? destination ?? default,
            };
            _made++;
            _backends.Add(made);
            known.Add(made);
            return made;
        }
    }

    /// <param name="limitsSources">Whether the listener has limits per source.</param>
    internal ConnectionOrigin OriginOf(RoutingSnapshot snapshot, CarriedRecord record, PoolState pool, out bool limitsSources)
    {
        lock (_gate)
        {
            ListenerState state = ListenerOf(snapshot, record.Listener);
            Listener? listener = Known(snapshot).Listeners.GetValueOrDefault(record.Listener).Listener;
            limitsSources = listener?.LimitsSources ?? false;
            foreach (ConnectionOrigin origin in listener?.Origins ?? [])
            {
                if (origin.Pool == pool && origin.Route == record.Route && (record.Rule is null || record.Rule == origin.Rule))
                {
                    return origin;
                }
            }

            Pool? configured = Known(snapshot).Pools.GetValueOrDefault(record.Pool);
            ConnectionPolicy policy = configured is not null ? ConnectionPolicy.Of(configured.Settings)
                : record.Policy ?? ConnectionPolicy.Of(new PoolSettings { Name = record.Pool });
            var made = new ConnectionOrigin(state, pool, policy, configured?.Sticky, record.Route, record.Rule ?? "");
            if (!_origins.TryGetValue(made, out ConnectionOrigin? before))
            {
                _origins.Add(before = made);
            }

            return before;
        }
    }

    /// <summary>
    /// Gives the table of sticky keys of a pool the seeds that it had in the other process. Before the first connection is accepted. Without this
    /// the connections of the pool hold no entries, because their hashes would mean nothing.
    /// </summary>
    /// <param name="seeds">As <see cref="StickyTable.Seeds"/>, or as the ledger has them.</param>
    /// <returns>False if the configuration has no such table, or one of another <c>hash_key</c>.</returns>
    public bool TryTakeSticky(RoutingSnapshot snapshot, string pool, (ulong First, ulong Second) seeds)
    {
        ArgumentNullException.ThrowIfNull(snapshot);
        lock (_gate)
        {
            if (Known(snapshot).Pools.GetValueOrDefault(pool)?.Sticky is not { } table || !table.TryTakeSeeds(seeds))
            {
                return false;
            }

            _sticky.Add(table);
            return true;
        }
    }

    /// <returns>Null if hashes of the other process mean nothing in the table.</returns>
    internal StickySettings? StickySettingsOf(RoutingSnapshot snapshot, string pool, StickyTable table)
    {
        lock (_gate)
        {
            return _sticky.Contains(table) ? Known(snapshot).Pools.GetValueOrDefault(pool)?.Settings.Sticky : null;
        }
    }

    /// <returns>Null if the connection holds no port of this host's addresses.</returns>
    internal PortUse? PortsOf(RoutingSnapshot snapshot, CarriedRecord record, Backend backend)
    {
        Endpoint destination = record.Destination ?? backend.Endpoint;
        if (record.PortSource == PortSource.None || (destination.Port == 0 && !destination.IsUnix))
        {
            return null;
        }

        lock (_gate)
        {
            HostAddress local = record.LocalEndpoint.Address;
            if (destination.IsUnix || record.PortSource == PortSource.Automatic)
            {
                return PortsOf(snapshot, null, destination);
            }

            if (record.PortSource == PortSource.Named || snapshot.Ports.Find(local, destination) is not null)
            {
                return PortsOf(snapshot, local, destination);
            }

            // The address of the client itself is none of this host's, and a pool that uses those has no other.
            return local == record.Tuple.Source.Address && snapshot.Ports.Find(null, destination) is null
                ? null : PortsOf(snapshot, null, destination);
        }
    }

    /// <param name="source">Null: the kernel chooses.</param>
    internal PortUse PortsOf(RoutingSnapshot snapshot, HostAddress? source, Endpoint destination)
    {
        lock (_gate)
        {
            return snapshot.Ports.Find(source, destination) ?? Keep(
                _ports, (source, destination),
                new PortUse(destination.IsUnix ? LocalAddressState.OfUnix : SourceOf(snapshot, source), destination, snapshot.Ports.Supply));
        }
    }

    /// <param name="address">Null: the kernel chooses.</param>
    internal LocalAddressState SourceOf(RoutingSnapshot snapshot, HostAddress? address)
    {
        lock (_gate)
        {
            LocalAddressState? known = snapshot.Sources.FirstOrDefault(s => s.Address == address) ?? _sources.Find(s => s.Address == address);
            if (known is null)
            {
                _sources.Add(known = new LocalAddressState(address));
                _made++;
            }

            return known;
        }
    }

    private PoolState FindPool(RoutingSnapshot snapshot, string name) =>
        Known(snapshot).PoolStates.GetValueOrDefault(name) ?? Keep(_pools, name, new PoolState(name, seed, TupleHash.OfText(name)));

    // The same rules as those of a reload, and where less is known of the connection, what can be said by its address.
    private static Backend? Find(List<Backend> same, string address, Endpoint? destination)
    {
        Endpoint? at = Parse(address) ?? destination;
        return same.Find(b => address.Length > 0 && b.Settings.Address == address)
            ?? same.Find(b => at is { } end && b.IsResolved && b.Endpoint == end)
            ?? (address.Length > 0 ? null
                : destination is not { } to ? same[0]
                : same.Find(b => b.Settings.Host is { } host && host.Port == to.Port && !to.IsUnix));
    }

    private static Endpoint? Parse(string address) =>
        Endpoint.TryParse(address, out Endpoint endpoint) || Endpoint.TryParseUnix(address, out endpoint) ? endpoint : null;

    private TValue Keep<TKey, TValue>(Dictionary<TKey, TValue> known, TKey key, TValue fresh)
        where TKey : notnull
    {
        if (known.TryAdd(key, fresh))
        {
            _made++;
        }

        return known[key];
    }

    private Index Known(RoutingSnapshot snapshot)
    {
        if (_index?.Snapshot != snapshot)
        {
            _index = new Index(snapshot, _backends);
        }

        return _index;
    }

    /// <summary>What a snapshot and this object have, by name; what is in force comes before what has left.</summary>
    private sealed class Index
    {
        public Index(RoutingSnapshot snapshot, List<Backend> more)
        {
            Snapshot = snapshot;
            Pools = snapshot.Pools.ToDictionary(static p => p.Name);
            PoolStates = snapshot.Pools.ToDictionary(static p => p.Name, static p => p.State);
            foreach (Listener listener in snapshot.Listeners)
            {
                Listeners.TryAdd(listener.Name, (listener.State, listener));
            }

            foreach (ListenerState listener in snapshot.Removed.Listeners)
            {
                Listeners.TryAdd(listener.Name, (listener, null));
            }

            foreach (Backend backend in snapshot.Pools.SelectMany(static p => p.Backends).Concat(snapshot.Removed.Backends).Concat(more))
            {
                Add(backend);
            }
        }

        public RoutingSnapshot Snapshot { get; }

        public Dictionary<string, Pool> Pools { get; }

        public Dictionary<string, PoolState> PoolStates { get; }

        public Dictionary<string, (ListenerState State, Listener? Listener)> Listeners { get; } = [];

        public Dictionary<(string Pool, string Name), List<Backend>> Backends { get; } = [];

        public void Add(Backend backend)
        {
            PoolStates.TryAdd(backend.State.Pool, backend.State.PoolState);
            if (!Backends.TryGetValue((backend.State.Pool, backend.Name), out List<Backend>? same))
            {
                Backends.Add((backend.State.Pool, backend.Name), same = []);
            }

            if (!same.Exists(b => b.State == backend.State))
            {
                same.Add(backend);
            }
        }
    }
}
