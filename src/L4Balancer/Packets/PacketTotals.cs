using System.Collections.Immutable;
using L4Balancer.Core.Routing;
using L4Balancer.Engine.Packets;

namespace L4Balancer.Packets;

/// <summary>What packet listeners have sent on, by the names that users see: several listeners of one pool are added up. Immutable; any thread.</summary>
internal sealed class PacketTotals
{
    private readonly Dictionary<(string Pool, string Backend), PacketCount> _backends = [];
    private readonly Dictionary<string, PacketListenerReading> _listeners;

    private PacketTotals(PacketReading reading)
    {
        _listeners = reading.Listeners.ToDictionary(static l => l.Listener);
        Drops = reading.Drops;
    }

    public static PacketTotals Empty { get; } = new(PacketReading.Empty);

    /// <summary>Packets that were dropped, by reason; empty without packet listeners.</summary>
    public ImmutableArray<PacketDropReading> Drops { get; }

    public static PacketTotals Of(RoutingSnapshot snapshot, PacketReading reading)
    {
        var totals = new PacketTotals(reading);
        Dictionary<(string, string), PacketBackendReading> read = [];
        foreach (PacketBackendReading backend in reading.Backends)
        {
            read[(backend.Listener, backend.Identity)] = backend;
        }

        foreach (Listener listener in snapshot.Listeners.Where(static l => l.IsPacket))
        {
            foreach (Backend backend in listener.Pool.Backends)
            {
                totals.Add((listener.Pool.Name, backend.Name), read.GetValueOrDefault((listener.Name, PacketListeners.IdentityOf(backend))));
            }
        }

        return totals;
    }

    /// <summary>Null if no packet listener has the pool of this backend.</summary>
    public PacketCount? OfBackend(string pool, string backend) => _backends.TryGetValue((pool, backend), out PacketCount count) ? count : null;

    /// <summary>Null if it is no packet listener.</summary>
    public PacketListenerReading? OfListener(string name) => _listeners.GetValueOrDefault(name);

    private void Add((string, string) key, PacketBackendReading? read)
    {
        PacketCount sum = _backends.GetValueOrDefault(key);
        _backends[key] = read is null ? sum : new PacketCount(sum.Packets + read.Packets, sum.Bytes + read.Bytes, read.Mac ?? sum.Mac);
    }
}

/// <summary>What was sent on to a backend.</summary>
/// <param name="Bytes">With the Ethernet headers.</param>
/// <param name="Mac">Of the backend, or of the router towards it; null while it is not known.</param>
internal readonly record struct PacketCount(long Packets, long Bytes, string? Mac);
