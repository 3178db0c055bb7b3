using System.Collections.Immutable;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Ports;

namespace L4Balancer.Core.Routing;

/// <summary>
/// Everything that deciding about a connection needs, as one object that is swapped whole by one writer. The cells that count live
/// on from snapshot to snapshot by identity: listeners by name, backends by pool, name and address, sources by address.
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

    /// <summary>Counts from 1 with each configuration that was put in force.</summary>
    public long Generation { get; }

    /// <summary>How many connections the process may hold, pending ones included.</summary>
    public int MaxConnections { get; }

    public BalancerCell Cell { get; }

    public ImmutableArray<Pool> Pools { get; }

    public ImmutableArray<Listener> Listeners { get; }

    public ImmutableArray<SourceCell> Sources { get; }

    /// <param name="maxConnections">What the configuration or, where it says 0, the descriptor limit allows.</param>
    /// <param name="previous">The snapshot in force until now, or null at start.</param>
    public static RoutingSnapshot Build(BalancerConfig config, int maxConnections, RoutingSnapshot? previous = null)
    {
        ArgumentNullException.ThrowIfNull(config);
        Dictionary<(string, string, string), BackendCell> backendCells = previous?.Pools.SelectMany(p => p.Backends)
            .ToDictionary(b => (b.Cell.Pool, b.Name, b.Settings.Address), b => b.Cell) ?? [];
        Dictionary<string, ListenerCell> listenerCells = previous?.Listeners.ToDictionary(l => l.Name, l => l.Cell) ?? [];
        Dictionary<string, SourceCell> sourceCells = previous?.Sources.ToDictionary(s => s.Label) ?? [];

        ImmutableArray<Pool> pools = [.. config.Pools.Select(BuildPool)];
        Dictionary<string, Pool> poolsByName = pools.ToDictionary(p => p.Name);
        ImmutableArray<Listener> listeners =
        [
            .. config.Listeners.Select(l => new Listener(
                l, poolsByName[l.Pool], listenerCells.GetValueOrDefault(l.Name) ?? new ListenerCell(l.Name))),
        ];
        return new RoutingSnapshot(
            (previous?.Generation ?? 0) + 1, maxConnections, previous?.Cell ?? new BalancerCell(), pools, listeners,
            [.. sourceCells.Values]);

        Pool BuildPool(PoolSettings settings) => new(
            settings,
            [
                .. settings.Backends.Select((b, i) => new Backend(
                    i, b, backendCells.GetValueOrDefault((settings.Name, b.Name, b.Address)) ?? new BackendCell(settings.Name, b.Name))),
            ],
            new SourceRotation(settings.SourceIps.IsEmpty ? [SourceFor(null)] : [.. settings.SourceIps.Select(ip => SourceFor(ip))]));

        SourceCell SourceFor(HostAddress? address)
        {
            var fresh = new SourceCell(address);
            sourceCells.TryAdd(fresh.Label, fresh);
            return sourceCells[fresh.Label];
        }
    }
}
