using System.Collections.Immutable;
using L4Balancer.Core.Addressing;

namespace L4Balancer.Core.Dns;

/// <summary>The zone that the daemon answers for, with what lives at one moment. Immutable; any thread.</summary>
public sealed class DnsZone
{
    private readonly Dictionary<byte[], ZoneNode>.AlternateLookup<ReadOnlySpan<byte>> _nodes;

    /// <param name="name">On the wire, in lower case.</param>
    /// <param name="nodes">By their names on the wire, in lower case; names between them and the zone are among them.</param>
    internal DnsZone(byte[] name, Dictionary<byte[], ZoneNode> nodes, ImmutableArray<string> leftOut, uint serial, uint ttl)
    {
        Name = name;
        LeftOut = leftOut;
        Serial = serial;
        Ttl = ttl;
        _nodes = nodes.GetAlternateLookup<ReadOnlySpan<byte>>();
    }

    /// <summary>Pools and backends that have no name of their own in the zone, one line each with the reason.</summary>
    public ImmutableArray<string> LeftOut { get; }

    /// <summary>The serial number of the SOA record: it grows with each change, and with a restart (RFC 1912, 2.2).</summary>
    public uint Serial { get; }

    /// <summary>How long an answer may be used, in seconds.</summary>
    internal uint Ttl { get; }

    internal byte[] Name { get; }

    /// <param name="name">On the wire, in lower case.</param>
    /// <returns>Null if the name does not exist (NXDOMAIN).</returns>
    internal ZoneNode? Find(ReadOnlySpan<byte> name) => _nodes.TryGetValue(name, out ZoneNode? node) ? node : null;
}

/// <summary>
/// What one name of the zone has. A name that has nothing still exists: what lives behind it may come back. Immutable; any thread.
/// </summary>
internal sealed class ZoneNode
{
    /// <summary>A name that exists only because longer ones do (RFC 8020: not NXDOMAIN).</summary>
    public static readonly ZoneNode Empty = new();

    /// <summary>Whether this is the zone itself, which has the SOA and NS records.</summary>
    public bool IsApex { get; init; }

    public AddressSet V4 { get; init; } = AddressSet.Empty;

    public AddressSet V6 { get; init; } = AddressSet.Empty;

    /// <summary>Those of the lowest priority number come first.</summary>
    public ServiceSet Services { get; init; } = ServiceSet.Empty;

    public AddressSet Of(RecordType type) => type == RecordType.A ? V4 : V6;

    public static ZoneNode WithAddresses(
        IReadOnlyCollection<(HostAddress Address, int Weight)> members, ServiceSet? services = null) => new()
        {
            V4 = new AddressSet(members.Where(m => m.Address.IsV4)),
            V6 = new AddressSet(members.Where(m => !m.Address.IsV4)),
            Services = services ?? ServiceSet.Empty,
        };
}

/// <summary>One SRV record (RFC 2782).</summary>
/// <param name="Priority">0, or 1 for a backup: clients use it only if all of 0 fail.</param>
/// <param name="Target">On the wire.</param>
/// <param name="Address">The address of the target, if its name is in the zone.</param>
internal sealed record ServiceRecord(ushort Priority, ushort Weight, ushort Port, byte[] Target, HostAddress? Address);

/// <summary>The SRV records of a name. Immutable; any thread.</summary>
internal sealed class ServiceSet
{
    public static readonly ServiceSet Empty = new([]);

    private readonly WeightedSet _first;

    /// <param name="records">Of different targets and ports.</param>
    public ServiceSet(IEnumerable<ServiceRecord> records)
    {
        All = [.. records.OrderBy(r => r.Priority)];
        _first = new WeightedSet(All.TakeWhile(r => r.Priority == All[0].Priority).Select(r => (int)r.Weight));
    }

    public ImmutableArray<ServiceRecord> All { get; }

    /// <summary>Those of an answer that has no room for all: by weight, and backups only if the others are fewer.</summary>
    /// <returns>How many were chosen.</returns>
    public int Choose(ulong draw, Span<int> chosen)
    {
        int found = _first.Choose(draw, chosen);
        for (int index = _first.Count; found < chosen.Length && index < All.Length; index++)
        {
            chosen[found++] = index;
        }

        return found;
    }
}

/// <summary>Names on the wire as keys. Only names of the configuration are stored, so no client can make them collide.</summary>
internal sealed class WireNameComparer : IEqualityComparer<byte[]>, IAlternateEqualityComparer<ReadOnlySpan<byte>, byte[]>
{
    public static readonly WireNameComparer Instance = new();

    public bool Equals(byte[]? x, byte[]? y) => x.AsSpan().SequenceEqual(y);

    public bool Equals(ReadOnlySpan<byte> alternate, byte[] other) => alternate.SequenceEqual(other);

    public int GetHashCode(byte[] name) => GetHashCode(name.AsSpan());

    public int GetHashCode(ReadOnlySpan<byte> alternate)
    {
        HashCode hash = default;
        hash.AddBytes(alternate);
        return hash.ToHashCode();
    }

    public byte[] Create(ReadOnlySpan<byte> alternate) => alternate.ToArray();
}
