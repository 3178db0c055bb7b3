using System.Collections.Immutable;
using System.Globalization;
using L4Balancer.Admin.Answers;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Balancing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Routing;

namespace L4Balancer.Admin;

/// <summary>Which backend a connection would be sent to, and why.</summary>
/// <param name="Backend">Null if no backend of the pool accepts connections, or the choice does not depend on a hash.</param>
/// <param name="Owner">The backend that owns the hash if all backends are available; null if the choice does not depend on a hash.</param>
/// <param name="Hash">Hash of the tuple by the pool's key with seed 0; null if the choice does not depend on a hash.</param>
/// <param name="Candidates">The number of backends to choose from.</param>
/// <param name="IsLive">False if only the configuration is known, but not the health of backends.</param>
internal sealed record Location(
    FourTuple Tuple, Listener Listener, Backend? Backend, Backend? Owner, ulong? Hash, int Candidates, bool IsLive)
{
    public LocateAnswer Answer => new(
        Listener.Name, Listener.Pool.Name, StatusReport.NameOf(Listener.Pool.Settings.Balance), Backend?.Name, Backend?.Settings.Address,
        Tuple.Source.ToString(), Tuple.Destination.ToString(),
        Hash is null ? [] : [.. Key()], Hash?.ToString("x16", CultureInfo.InvariantCulture), Candidates,
        IsLive ? Listener.Pool.Backends.Count(b => Listener.Pool.Takes(b.Index)) : null, Owner?.Name,
        !IsLive || Hash is null ? "unknown" : Owner is null ? "down" : BackendReport.NameOf(Listener.Pool.StatusOf(Owner.Index)));

    /// <summary>Computes the choice from a configuration alone.</summary>
    public static Location Of(BalancerConfig config, string listenerName, in FourTuple tuple)
    {
        var snapshot = RoutingSnapshot.Build(new(config, MaxConnections: 1) { Names = Resolutions.Assumed });
        return Of(snapshot.Listeners.First(l => l.Name == listenerName), tuple, isLive: false);
    }

    public static Location Of(Listener listener, in FourTuple tuple, bool isLive)
    {
        Pool pool = listener.Pool;
        bool backups = !pool.Backends.Any(b => !b.Settings.Backup && b.Weight > 0);
        int candidates = pool.Backends.Count(b => b.Settings.Backup == backups && b.Weight > 0);
        if (pool.Settings.Balance is not (BalanceKind.Ring or BalanceKind.Maglev))
        {
            // The choice differs from connection to connection, and calling the picker would change its state.
            return new Location(tuple, listener, null, null, null, candidates, isLive);
        }

        int index = pool.Pick(tuple, []);

        // A ring with all backends available is built only if some are not.
        bool all = pool.Backends.All(b => pool.StatusOf(b.Index) == BackendStatus.Up);
        int owner = all ? index : new Pool(pool.Settings, pool.State, [.. pool.Backends.Select(AsResolved)], pool.Sources).Pick(tuple, []);
        return new Location(
            tuple, listener, Member(index), Member(owner), TupleHash.Of(tuple, pool.Settings.HashKey, seed: 0), candidates, isLive);

        static Backend AsResolved(Backend backend) => backend.IsResolved ? backend : backend.At(new NameAddresses(HostAddress.Any4, []));

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
        ImmutableArray<Endpoint> binds = [.. listener.Bind.Where(b => b.Address.IsV4 == source.Address.IsV4)];
        string all = string.Join(", ", listener.Bind);
        if (binds.IsEmpty)
        {
            mistake = $"source {source}: listener {listener.Name} has no address of that family (bind: {all})";
            return null;
        }

        if (given is Endpoint destination)
        {
            bool sameFamily = destination.Address.IsV4 == source.Address.IsV4;
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
            (TupleFields.SourceIp, "source-ip"), (TupleFields.SourcePort, "source-port"),
            (TupleFields.DestinationIp, "destination-ip"), (TupleFields.DestinationPort, "destination-port"),
        ];
        return names.Where(n => key.HasFlag(n.Field)).Select(n => n.Name);
    }
}
