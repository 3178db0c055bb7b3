using System.Collections.Immutable;
using System.Globalization;
using L4Balancer.Admin.Answers;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Balancing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Timing;

namespace L4Balancer.Admin;

/// <summary>Which backend a connection would be sent to, and why.</summary>
/// <param name="Backend">Null if no backend of the pool accepts connections, or the choice does not depend on a hash.</param>
/// <param name="Owner">
/// The backend that owns the hash if all backends are available and none is full; null if the choice does not depend on a hash.
/// </param>
/// <param name="Hash">Hash of the tuple by the pool's key with seed 0; null if the choice does not depend on a hash.</param>
/// <param name="Candidates">The number of backends to choose from.</param>
/// <param name="IsLive">False if only the configuration is known, but not the health of backends.</param>
/// <param name="IsSticky">An entry of <c>[pools.sticky]</c> decides.</param>
internal sealed record Location(
    FourTuple Tuple, Listener Listener, Backend? Backend, Backend? Owner, ulong? Hash, int Candidates, bool IsLive, bool IsSticky)
{
    public LocateAnswer Answer => new(
        Listener.Name, Listener.Pool.Name, StatusReport.NameOf(Listener.Pool.Settings.Balance), Backend?.Name, Backend?.Settings.Address,
        Tuple.Source.ToString(), Tuple.Destination.ToString(),
        Hash is null ? [] : [.. Key()], Hash?.ToString("x16", CultureInfo.InvariantCulture), Candidates,
        IsLive ? Listener.Pool.Backends.Count(b => Listener.Pool.Takes(b.Index)) : null, Owner?.Name,
        !IsLive || Hash is null ? "unknown" : Owner is null ? "down" : BackendReport.NameOf(Listener.Pool.StatusOf(Owner.Index)),
        IsSticky);

    /// <summary>Computes the choice from a configuration alone.</summary>
    public static Location Of(BalancerConfig config, string listenerName, in FourTuple tuple)
    {
        var snapshot = RoutingSnapshot.Build(new(config, MaxConnections: 1) { Names = Resolutions.Assumed });
        return Of(snapshot.Listeners.First(l => l.Name == listenerName), tuple, isLive: false, now: default);
    }

    public static Location Of(Listener listener, in FourTuple tuple, bool isLive, Instant now)
    {
        Pool pool = listener.Pool;
        bool backups = !pool.Backends.Any(b => !b.Settings.Backup && b.Weight > 0);
        int candidates = pool.Backends.Count(b => b.Settings.Backup == backups && b.Weight > 0);
        RouteKey key = pool.Key.OfTuple(tuple, stackalloc byte[TupleHash.MaxLength]);
        int followed = isLive ? pool.FollowedBy(key, now) : Pool.None;
        bool isSticky = followed != Pool.None;
        if (pool.Settings.Balance is not (BalanceKind.Ring or BalanceKind.Maglev))
        {
            // The choice differs from connection to connection, and calling the picker would change its state.
            return new Location(tuple, listener, Member(followed), null, null, candidates, isLive, isSticky);
        }

        return new Location(
            tuple, listener, Member(isSticky ? followed : pool.Pick(key, [])), Member(pool.OwnerOf(key)), key.Hash(seed: 0),
            candidates, isLive, isSticky);

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

    private IEnumerable<string> Key()
    {
        TupleFields key = Listener.Pool.Settings.HashKey;
        (TupleFields Field, string Name)[] names =
        [
            (TupleFields.SourceIp, "source-ip"), (TupleFields.SourceNet, "source-net"), (TupleFields.SourcePort, "source-port"),
            (TupleFields.DestinationIp, "destination-ip"), (TupleFields.DestinationPort, "destination-port"),
        ];
        return names.Where(n => key.HasFlag(n.Field)).Select(n => n.Name);
    }
}
