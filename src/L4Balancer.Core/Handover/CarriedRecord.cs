using L4Balancer.Core.Addressing;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Sticky;
using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Handover;

/// <summary>Where the local port of a connection towards its backend comes from.</summary>
public enum PortSource : byte
{
    /// <summary>Not known: it is found by the local address.</summary>
    Unknown,

    /// <summary>It is no port of this host's addresses (<c>transparent</c>).</summary>
    None,

    /// <summary>The kernel chose the address, or the backend is a UNIX socket.</summary>
    Automatic,

    /// <summary>The pool names the address (<c>source_ips</c>): it is that of <see cref="CarriedRecord.LocalEndpoint"/>.</summary>
    Named,
}

/// <summary>
/// An established connection on its way from one process to another, as values and names: the part that is neither a socket nor a byte in
/// flight. An upgrade makes it of the record of the old process, and a start after a crash of an entry of the ledger, which knows less: what it
/// does not know stays at its default. Immutable; any thread.
/// </summary>
public sealed partial record CarriedRecord
{
    public required ulong Id { get; init; }

    /// <summary>Names as in the configuration that admitted the connection, as are those of pool and backend.</summary>
    public required string Listener { get; init; }

    public required string Pool { get; init; }

    public required string Backend { get; init; }

    /// <summary>The address of the backend as it was written; empty: not known.</summary>
    public string BackendAddress { get; init; } = "";

    /// <summary>What the backend's socket is connected to; null: not known.</summary>
    public Endpoint? Destination { get; init; }

    /// <summary>As in <see cref="ConnectionOrigin.Route"/>.</summary>
    public string Route { get; init; } = "";

    /// <summary>As in <see cref="ConnectionOrigin.Rule"/>; null: not known, so it is that of the route of the same number.</summary>
    public string? Rule { get; init; }

    public required FourTuple Tuple { get; init; }

    /// <summary>The local address of the connection to the backend.</summary>
    public required Endpoint LocalEndpoint { get; init; }

    public PortSource PortSource { get; init; }

    public ClientNames? Names { get; init; }

    public required Instant AcceptedAt { get; init; }

    public Instant ConnectStartedAt { get; init; }

    /// <summary>Never zero: only established connections are carried.</summary>
    public required Instant EstablishedAt { get; init; }

    /// <summary>When a byte was last relayed, or one side finished; the engine keeps it beside the record.</summary>
    public Instant LastActivity { get; init; }

    public int Attempts { get; init; } = 1;

    /// <summary>Of the configuration that admitted the connection.</summary>
    public long Generation { get; init; }

    public long BytesToBackend { get; init; }

    public long BytesToClient { get; init; }

    public EndState End { get; init; }

    /// <summary>
    /// The hash of its sticky key, with the seeds of the table that made it, which <see cref="Survivors.TryTakeSticky"/> must have been given; null:
    /// it holds no entry.
    /// </summary>
    public (ulong High, ulong Low)? StickyHash { get; init; }

    /// <summary>Whether it counts for its client's limits; null: not known, so it does if the listener has such limits.</summary>
    public bool? HasClientPlace { get; init; }

    /// <summary>The settings that it has had; used if the configuration no longer has the pool. Null: not known.</summary>
    public ConnectionPolicy? Policy { get; init; }

    /// <summary>The record of a connection that is relayed and has no cause to end. Any thread, if the connection stands still.</summary>
    /// <exception cref="ArgumentException">It is not established.</exception>
    public static CarriedRecord Of(in ConnectionRecord record, in ConnectionEnd end)
    {
        if (record is not { IsEstablished: true, Backend: { } backend })
        {
            throw new ArgumentException("Only an established connection can be carried to another process.", nameof(record));
        }

        StickyKeyHash? sticky = record.Origin.Sticky?.HashOf(record.Sticky);
        return new CarriedRecord
        {
            Id = record.Id,
            Listener = record.Listener.Name,
            Pool = record.Pool.Name,
            Backend = backend.Name,
            BackendAddress = backend.Address,
            Destination = record.Lease.Use?.Destination,
            Route = record.Origin.Route,
            Rule = record.Origin.Rule,
            Tuple = record.Tuple,
            LocalEndpoint = record.LocalEndpoint,
            PortSource = record.Lease.Use is not { } use ? PortSource.None : use.Source.Address is null ? PortSource.Automatic : PortSource.Named,
            Names = record.Names,
            AcceptedAt = record.AcceptedAt,
            ConnectStartedAt = record.ConnectStartedAt,
            EstablishedAt = record.EstablishedAt,
            Attempts = record.Attempts,
            Generation = record.Generation,
            BytesToBackend = record.BytesToBackend,
            BytesToClient = record.BytesToClient,
            End = end.State,
            StickyHash = sticky is { } hash ? (hash.High, hash.Low) : null,
            HasClientPlace = record.HasClientPlace,
            Policy = record.Origin.Policy,
        };
    }

    /// <summary>
    /// The record in this process. It goes on with the listener, pool and backend of the same names, or with states that <paramref
    /// name="survivors"/> has for names that the configuration does not have. The settings for the rest of its life are those of the pool in the
    /// new configuration; without such a pool those that it had, or the defaults. It holds its entry of the table of sticky keys from now on, and
    /// is counted by <see cref="ConnectionRecord.Join"/>, which the engine that adopts it calls: so a record is revived only to be adopted.
    /// </summary>
    /// <param name="snapshot">The snapshot in force.</param>
    public (ConnectionRecord Record, ConnectionEnd End) Revive(RoutingSnapshot snapshot, Survivors survivors)
    {
        ArgumentNullException.ThrowIfNull(snapshot);
        ArgumentNullException.ThrowIfNull(survivors);
        Backend backend = survivors.BackendOf(snapshot, Pool, Backend, BackendAddress, Destination);
        ConnectionOrigin origin = survivors.OriginOf(snapshot, this, backend.State.PoolState, out bool limitsSources);
        var end = ConnectionEnd.Of(End);
        var record = new ConnectionRecord
        {
            Id = Id,
            Origin = origin,
            Tuple = Tuple,
            Names = Names,
            Backend = backend.State,
            LocalEndpoint = LocalEndpoint,
            AcceptedAt = AcceptedAt,
            ConnectStartedAt = ConnectStartedAt,
            EstablishedAt = EstablishedAt,
            Attempts = Attempts,
            Generation = Generation,
            BytesToBackend = BytesToBackend,
            BytesToClient = BytesToClient,
            IsHalfClosed = end.IsHalfClosed,
            HasClientPlace = (HasClientPlace ?? limitsSources) && !Tuple.Source.IsUnix,
            Lease = Ports.PortLease.Coming(survivors.PortsOf(snapshot, this, backend)),
        };
        if (StickyHash is { } hash && origin.Sticky is { } table && survivors.StickySettingsOf(snapshot, Pool, table) is { } settings)
        {
            record.Sticky = table.HoldAgain(
                new StickyKeyHash(hash.High, hash.Low), Tuple.Source.Address, backend.State, backend.Index, settings, EstablishedAt);
        }

        return (record, end);
    }
}
