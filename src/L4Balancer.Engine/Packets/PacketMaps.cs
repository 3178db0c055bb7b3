using System.Buffers.Binary;
using L4Balancer.Core.Addressing;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Engine.Packets;

/// <summary>How large the maps of a packet program are: fixed when it is loaded.</summary>
/// <param name="Services">Virtual addresses with a port, and those without.</param>
/// <param name="Backends">Backends of all pools.</param>
/// <param name="Flows">Flows that are remembered; 0: none.</param>
internal sealed record PacketLimits(int Services, int Pools, int Backends, int Flows, ChoiceTable Table)
{
    /// <summary>
    /// How many flows a processor remembers at their SYN in a second; beyond, a flow is remembered at its next packet, which a flood of SYNs does not have.
    /// By default a flood on all processors takes 100 seconds to fill the map, so that a flow that is used meanwhile is not the oldest.
    /// </summary>
    public int SynsPerSecond { get; init; } = Math.Max(10, Flows / 100 / Bpf.PossibleProcessors);

    /// <summary>How many clients a processor tells in a second that their packets are too big.</summary>
    public int TooBigPerSecond { get; init; } = 100;

    /// <summary>Whether tunnels can name a second backend (<see cref="ServiceFlags.SecondChance"/>): the program is larger by another choice.</summary>
    public bool SecondChance { get; init; }
}

/// <summary>
/// The maps of a packet program: what it is told (services, tables, backends) and what it tells (flows, counts). The kernel keeps them as long as a
/// descriptor, a program or a pin refers to them. Each change of a value is seen whole or not at all. One thread at a time.
/// </summary>
internal sealed class PacketMaps : IDisposable
{
    /// <summary>Bytes of the key of a service: address, port, two of zero.</summary>
    public const int ServiceKey = 20;

    /// <summary>Bytes of a service: number of the pool, and <see cref="ServiceFlags"/>.</summary>
    public const int ServiceValue = 8;

    /// <summary>Bytes of a backend: flags, MAC addresses of the destination and of the source, then the addresses of the outer header.</summary>
    public const int BackendValue = 56;

    /// <summary>Bytes of a flow: the number of its backend. The key is the tuple.</summary>
    public const int FlowValue = sizeof(int);

    private static readonly int Drops = Enum.GetValues<PacketDrop>().Length;

    private readonly List<(string Name, int Descriptor)> _opened = [];
    private readonly Func<string, SysResult>? _open;

    private PacketMaps(PacketLimits limits, Func<string, SysResult>? open)
    {
        Limits = limits;
        _open = open;
    }

    public PacketLimits Limits { get; }

    /// <summary>Every map with a name that stays the same from build to build, as long as <see cref="PacketLayout.Version"/> does.</summary>
    public IReadOnlyList<(string Name, int Descriptor)> All => _opened;

    public int Services { get; private set; }

    public int Tables { get; private set; }

    public int Backends { get; private set; }

    public int Flows { get; private set; }

    /// <summary>The tables before the last change, as <see cref="Tables"/>; for the second chance.</summary>
    public int Previous { get; private set; }

    /// <summary>
    /// With the second chance: the tables in force by pool, then those of <see cref="Previous"/>, for processes to read; no program does. Otherwise -1.
    /// </summary>
    public int Kept { get; private set; } = -1;

    /// <summary>Of each processor: when the present interval of a budget began, and what is spent.</summary>
    public int Budgets { get; private set; }

    /// <summary>Packets and bytes by backend, for each processor.</summary>
    public int Counts { get; private set; }

    /// <summary>Packets by <see cref="PacketDrop"/>, for each processor.</summary>
    public int Dropped { get; private set; }

    /// <param name="fault">EPERM: CAP_BPF is missing. E2BIG, ENOMEM: too large.</param>
    /// <param name="open">Opens a map that is there already, by its name; null: all are made anew.</param>
    public static PacketMaps? TryCreate(PacketLimits limits, out Errno fault, Func<string, SysResult>? open = null)
    {
        var maps = new PacketMaps(limits, open);
        fault = Errno.None;
        maps.Services = maps.Create("services", Libc.BPF_MAP_TYPE_HASH, ServiceKey, ServiceValue, limits.Services, ref fault);
        int like = maps.Create("like", Libc.BPF_MAP_TYPE_ARRAY, sizeof(int), limits.Table.Length, 1, ref fault);
        maps.Tables = maps.Create("tables", Libc.BPF_MAP_TYPE_ARRAY_OF_MAPS, sizeof(int), sizeof(int), limits.Pools, ref fault, like);
        maps.Previous = maps.Create("previous", Libc.BPF_MAP_TYPE_ARRAY_OF_MAPS, sizeof(int), sizeof(int), limits.Pools, ref fault, like);
        if (limits.SecondChance)
        {
            maps.Kept = maps.Create("kept", Libc.BPF_MAP_TYPE_ARRAY, sizeof(int), limits.Table.Length, 2 * limits.Pools, ref fault);
        }

        maps.Budgets = maps.Create("budgets", Libc.BPF_MAP_TYPE_PERCPU_ARRAY, sizeof(int), BudgetCode.ValueLength, BudgetCode.Count, ref fault);
        maps.Backends = maps.Create("backends", Libc.BPF_MAP_TYPE_ARRAY, sizeof(int), BackendValue, limits.Backends, ref fault);
        maps.Flows = maps.Create(
            "flows", Libc.BPF_MAP_TYPE_LRU_HASH, KeyHashCode.TupleLength, FlowValue, Math.Max(1, limits.Flows), ref fault);
        maps.Counts = maps.Create("counts", Libc.BPF_MAP_TYPE_PERCPU_ARRAY, sizeof(int), 2 * sizeof(long), limits.Backends, ref fault);
        maps.Dropped = maps.Create("dropped", Libc.BPF_MAP_TYPE_PERCPU_ARRAY, sizeof(int), sizeof(long), Drops, ref fault);
        if (fault == Errno.None)
        {
            return maps;
        }

        maps.Dispose();
        return null;
    }

    /// <summary>Packets to this address and port belong to a pool. With port 0 only fragments to the address are dropped.</summary>
    public Errno SetService(Endpoint address, int pool, ServiceFlags flags)
    {
        Span<byte> value = stackalloc byte[ServiceValue];
        BinaryPrimitives.WriteInt32LittleEndian(value, pool);
        BinaryPrimitives.WriteInt32LittleEndian(value[4..], (int)flags);
        return Bpf.Update(Services, KeyOf(address), value);
    }

    /// <summary>Packets to this address and port are the kernel's own again.</summary>
    public Errno RemoveService(Endpoint address) => Bpf.Delete(Services, KeyOf(address));

    /// <summary>The services that there are, with the number of their pool, in no order.</summary>
    public IReadOnlyList<(Endpoint Address, int Pool)> ReadServices()
    {
        List<(Endpoint, int)> services = [];
        _ = Bpf.Walk(Services, ServiceKey, ServiceValue, (keys, values, count) =>
        {
            for (int i = 0; i < count; i++)
            {
                ReadOnlySpan<byte> key = keys.Slice(i * ServiceKey, ServiceKey);
                var address = new Endpoint(HostAddress.FromV6(key), BinaryPrimitives.ReadUInt16BigEndian(key[16..]));
                services.Add((address, BinaryPrimitives.ReadInt32LittleEndian(values[(i * ServiceValue)..])));
            }
        });
        return services;
    }

    /// <summary>Replaces the table of a pool as a whole.</summary>
    public Errno SetTable(int pool, ReadOnlySpan<byte> table) => SetTable(Tables, pool, table);

    /// <summary>Says what the table of a pool was before: a tunnel names the backend by it as the next one to try.</summary>
    public Errno SetPrevious(int pool, ReadOnlySpan<byte> table) => SetTable(Previous, pool, table);

    /// <summary>No backend is named as the next one to try for a pool.</summary>
    public void RemovePrevious(int pool) => _ = Bpf.Delete(Previous, Number(pool));

    /// <summary>Writes a table to <see cref="Kept"/>.</summary>
    public Errno Keep(int slot, ReadOnlySpan<byte> table) => Bpf.Update(Kept, Number(slot), table);

    /// <summary>Reads a table of <see cref="Kept"/>; zeros where none has been written.</summary>
    public Errno ReadKept(int slot, byte[] table) => Bpf.Lookup(Kept, Number(slot), table);

    /// <summary>Says how packets get to a backend.</summary>
    public Errno SetBackend(int number, in PacketBackend backend)
    {
        Span<byte> value = stackalloc byte[BackendValue];
        value.Clear();
        backend.WriteTo(value);
        return Bpf.Update(Backends, Number(number), value);
    }

    /// <summary>How many packets were dropped for this reason, on all processors.</summary>
    public long DropsOf(PacketDrop reason)
    {
        byte[] counts = new byte[sizeof(long) * Bpf.PossibleProcessors];
        return Bpf.Lookup(Dropped, Number((int)reason), counts) == Errno.None ? Sum(counts, 0, sizeof(long)) : 0;
    }

    /// <summary>Packets and bytes that were sent on to a backend, on all processors.</summary>
    public (long Packets, long Bytes) CountOf(int backend)
    {
        byte[] counts = new byte[2 * sizeof(long) * Bpf.PossibleProcessors];
        return Bpf.Lookup(Counts, Number(backend), counts) == Errno.None
            ? (Sum(counts, 0, 2 * sizeof(long)), Sum(counts, sizeof(long), 2 * sizeof(long))) : (0, 0);
    }

    /// <summary>The counters of a backend begin at zero.</summary>
    public void ClearCount(int backend) => _ = Bpf.Update(Counts, Number(backend), new byte[2 * sizeof(long) * Bpf.PossibleProcessors]);

    public void Dispose()
    {
        _opened.ForEach(m => TcpSocket.Close(m.Descriptor));
        _opened.Clear();
    }

    private Errno SetTable(int tables, int pool, ReadOnlySpan<byte> table)
    {
        SysResult map = Bpf.CreateMap(Libc.BPF_MAP_TYPE_ARRAY, sizeof(int), Limits.Table.Length, 1);
        if (map.IsError)
        {
            return map.Errno;
        }

        Span<byte> value = stackalloc byte[sizeof(int)];
        BinaryPrimitives.WriteInt32LittleEndian(value, map.Value);
        Errno error = Bpf.Update(map.Value, Number(0), table);
        error = error == Errno.None ? Bpf.Update(tables, Number(pool), value) : error;
        TcpSocket.Close(map.Value);
        return error;
    }

    private static long Sum(ReadOnlySpan<byte> counts, int first, int step)
    {
        long sum = 0;
        for (int at = first; at < counts.Length; at += step)
        {
            sum += BinaryPrimitives.ReadInt64LittleEndian(counts[at..]);
        }

        return sum;
    }

    private static byte[] KeyOf(Endpoint service)
    {
        byte[] key = new byte[ServiceKey];
        service.Address.WriteTo(key);
        BinaryPrimitives.WriteUInt16BigEndian(key.AsSpan(16), service.Port);
        return key;
    }

    private static byte[] Number(int number) => BitConverter.GetBytes(number);

    private int Create(string name, int type, int key, int value, int entries, ref Errno fault, int inner = 0)
    {
        SysResult map = fault != Errno.None ? SysResult.Error(fault)
            : _open is not null ? _open(name)
            : Bpf.CreateMap(type, key, value, entries, inner);
        if (map.IsError)
        {
            fault = map.Errno;
            return -1;
        }

        _opened.Add((name, map.Value));
        return map.Value;
    }
}

/// <summary>What holds for a virtual address.</summary>
[Flags]
internal enum ServiceFlags
{
    None = 0,

    /// <summary>The choice is by the address of the client alone.</summary>
    SourceOnly = 1,

    /// <summary>Flows are remembered.</summary>
    Remembers = 2,

    /// <summary>Tunnels name the backend of the table before, for the second chance (docs/packet-backends.md).</summary>
    SecondChance = 4,
}

/// <summary>How packets get to a backend.</summary>
/// <param name="IsKnown">False: its MAC address is not known, and its packets are dropped; in a tunnel the kernel may know the way.</param>
/// <param name="Mac">Of the backend, or of the router towards it: 48 bits, the first byte of the address in the highest.</param>
/// <param name="OwnMac">Of the interface that the packets leave by.</param>
/// <param name="Tunnel">Null: the packet itself is sent. Otherwise it is sent in an outer header.</param>
internal readonly record struct PacketBackend(bool IsKnown, ulong Mac, ulong OwnMac, PacketTunnel? Tunnel = null)
{
    public const short MacAt = 4;
    public const short SourceAt = 16;
    public const short DestinationAt = 32;
    public const short MtuAt = 48;

    /// <summary>In the first byte: the MAC addresses are known.</summary>
    public const int Known = 1;

    /// <summary>In the first byte: in an outer IPv4 header.</summary>
    public const int Outer4 = 2;

    /// <summary>In the first byte: in an outer IPv6 header.</summary>
    public const int Outer6 = 4;

    public void WriteTo(Span<byte> value)
    {
        value[0] = IsKnown ? (byte)Known : (byte)0;
        Write(value[MacAt..], Mac);
        Write(value[(MacAt + 6)..], OwnMac);
        if (Tunnel is { } tunnel)
        {
            value[0] |= tunnel.Destination.IsV4 ? (byte)Outer4 : (byte)Outer6;
            tunnel.Source.ToIPAddress().TryWriteBytes(value[SourceAt..], out _);
            tunnel.Destination.ToIPAddress().TryWriteBytes(value[DestinationAt..], out _);
            BinaryPrimitives.WriteInt32LittleEndian(value[MtuAt..], tunnel.Mtu);
        }
    }

    private static void Write(Span<byte> value, ulong mac)
    {
        for (int i = 0; i < 6; i++)
        {
            value[i] = (byte)(mac >> (40 - (8 * i)));
        }
    }
}
