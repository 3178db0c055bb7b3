using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using L4Balancer.Admin.Answers;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Balancing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Inspection;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Timing;

namespace L4Balancer.Admin;

/// <summary>Which backend a connection would be sent to, and why.</summary>
/// <param name="Route">The route that decided.</param>
/// <param name="Backend">Null if no backend of the pool accepts connections, or the choice does not depend on a hash.</param>
/// <param name="Owner">
/// The backend that owns the hash if all backends are available and none is full; null if the choice does not depend on a hash.
/// </param>
/// <param name="Hash">Hash of the key with seed 0; null if the choice does not depend on a hash.</param>
/// <param name="IsLive">False if only the configuration is known, but not the health of backends.</param>
/// <param name="IsSticky">An entry of <c>[pools.sticky]</c> decides.</param>
/// <param name="IsKeyMissing">A named field of <c>hash_key</c> is missing, so the tuple is hashed.</param>
/// <param name="Key">The values of the named fields; null if there are none.</param>
internal sealed record Location(
    FourTuple Tuple, Listener Listener, Route Route, Backend? Backend, Backend? Owner, ulong? Hash, bool IsLive, bool IsSticky, bool IsKeyMissing,
    string? Key)
{
    private const int LongestKey = 128;

    private Pool Pool => Route.Pool;

    public LocateAnswer Answer => new(
        Listener.Name, Pool.Name, StatusReport.NameOf(Pool.Settings.Balance), Backend?.Name, Backend?.Settings.Address,
        Tuple.Source.ToString(), Tuple.Destination.ToString(),
        Hash is null ? [] : [.. Fields()], Hash?.ToString("x16", CultureInfo.InvariantCulture), Candidates,
        IsLive ? Pool.Backends.Count(b => Pool.Takes(b.Index)) : null, Owner?.Name,
        !IsLive || Hash is null ? "unknown" : Owner is null ? "down" : BackendReport.NameOf(Pool.StatusOf(Owner.Index)),
        IsSticky, Route.Name.Length == 0 ? null : Route.Name, Route.Rule.Length == 0 ? null : Route.Rule, Key,
        IsKeyMissing ? [.. Pool.Key.Named.Select(f => f.ToString())] : []);

    /// <summary>The number of backends to choose from.</summary>
    private int Candidates
    {
        get
        {
            bool backups = !Pool.Backends.Any(b => !b.Settings.Backup && b.Weight > 0);
            return Pool.Backends.Count(b => b.Settings.Backup == backups && b.Weight > 0);
        }
    }

    /// <summary>Computes the choice from a configuration alone.</summary>
    /// <param name="mistake">One line with the remedy, if null is returned.</param>
    public static Location? Of(
        BalancerConfig config, string listenerName, Endpoint source, Endpoint? destination, AskedClient asked, out string mistake)
    {
        var snapshot = RoutingSnapshot.Build(new(config, MaxConnections: 1) { Names = Resolutions.Assumed });
        return Of(snapshot.Listeners.First(l => l.Name == listenerName), source, destination, asked, isLive: false, now: default, out mistake);
    }

    /// <param name="destination">The address that the client connects to; null: the listener's own.</param>
    /// <param name="mistake">One line with the remedy, if null is returned.</param>
    public static Location? Of(
        Listener listener, Endpoint source, Endpoint? destination, AskedClient asked, bool isLive, Instant now, out string mistake)
    {
        if (!asked.TryRead(listener.Settings, out Inspected inspected, out mistake))
        {
            return null;
        }

        // The destination decides on no route, but may be a part of the key of the pool.
        Route route = listener.RouteOf(new FourTuple(source, default), inspected);
        HashKey key = route.Pool.Key;
        byte[] buffer = new byte[key.BufferLength(inspected.LongestValue)];
        bool isMissing = false;
        if (asked.Key is null)
        {
            key.Write(new FourTuple(source, default), inspected, buffer, out isMissing);
        }

        TupleFields parts = isMissing ? TupleFields.All : key.Tuple.Fields;
        if (DestinationFor(listener.Settings, parts, source, destination, out mistake) is not Endpoint found)
        {
            return null;
        }

        var tuple = new FourTuple(source, found);
        byte[] bytes = asked.Key is { } given
            ? key.WithValue(tuple, Encoding.UTF8.GetBytes(given)) : key.Write(tuple, inspected, buffer, out _).Bytes.ToArray();
        string? shown = asked.Key ?? (isMissing || key.IsTuple ? null : key.Show(bytes, LongestKey));
        return Of(listener, route, tuple, bytes, isMissing, shown, isLive, now);
    }

    private static Location Of(
        Listener listener, Route route, in FourTuple tuple, byte[] bytes, bool isMissing, string? shown, bool isLive, Instant now)
    {
        Pool pool = route.Pool;
        var key = new RouteKey(bytes);
        int followed = isLive ? pool.FollowedBy(key, now) : Pool.None;
        bool isSticky = followed != Pool.None;
        if (pool.Settings.Balance is not (BalanceKind.Ring or BalanceKind.Maglev))
        {
            // The choice differs from connection to connection, and calling the picker would change its state.
            return new Location(tuple, listener, route, Member(followed), null, null, isLive, isSticky, isMissing, shown);
        }

        // A rebalance moves relayed connections only.
        int picked = listener.IsPacket ? pool.Flatten().Pick(key) : isSticky ? followed : pool.Pick(key, []);
        return new Location(
            tuple, listener, route, Member(picked), Member(pool.OwnerOf(key)), key.Hash(seed: 0), isLive, isSticky,
            isMissing, shown);

        Backend? Member(int place) => place == Pool.None ? null : pool.Backends[place];
    }

    /// <summary>
    /// The address that the client connects to: as given, or the listener's own if it is unique or does not affect the key.
    /// </summary>
    /// <param name="mistake">One line with the remedy, if null is returned.</param>
    public static Endpoint? DestinationFor(
        ListenerSettings listener, TupleFields key, Endpoint source, Endpoint? given, out string mistake)
    {
        mistake = "";
        ImmutableArray<Endpoint> binds =
            [.. listener.Bind.Where(b => b.IsUnix == source.IsUnix && b.Address.IsV4 == source.Address.IsV4)];
        string all = string.Join(", ", PortSpan.Compact(listener.Bind));
        if (binds.IsEmpty)
        {
            mistake = $"source {source}: listener {listener.Name} has no address of that family (bind: {all})";
            return null;
        }

        // The path of a UNIX socket is not hashed.
        if (source.IsUnix && (given is null || binds.Contains(given.Value)))
        {
            return given ?? binds[0];
        }

        if (given is Endpoint destination)
        {
            bool sameFamily = !source.IsUnix && !destination.IsUnix && destination.Address.IsV4 == source.Address.IsV4;
            if (sameFamily && binds.Any(b => b.Port == destination.Port && (b.Address.IsAny || b.Address == destination.Address)))
            {
                return destination;
            }

            mistake = $"destination {destination}: listener {listener.Name} does not listen there for {source} (bind: {all})";
            return null;
        }

        bool addressMatters = key.HasFlag(TupleFields.DestinationIp)
            && (binds[0].Address.IsAny || binds.Any(b => b.Address != binds[0].Address));
        bool portMatters = key.HasFlag(TupleFields.DestinationPort) && binds.Any(b => b.Port != binds[0].Port);
        if (!addressMatters && !portMatters)
        {
            return binds[0];
        }

        mistake = $"destination IP:PORT is required: listener {listener.Name} has more than one address, and hash_key uses it "
            + $"(bind: {all})";
        return null;
    }

    private IEnumerable<string> Fields()
    {
        TupleFields key = IsKeyMissing ? TupleFields.All : Pool.Key.Tuple.Fields;
        (TupleFields Field, string Name)[] names =
        [
            (TupleFields.SourceIp, "source-ip"), (TupleFields.SourceNet, "source-net"), (TupleFields.SourcePort, "source-port"),
            (TupleFields.DestinationIp, "destination-ip"), (TupleFields.DestinationPort, "destination-port"),
        ];
        return names.Where(n => key.HasFlag(n.Field)).Select(n => n.Name).Concat(IsKeyMissing ? [] : Pool.Key.Named.Select(f => f.ToString()));
    }
}
