using System.Buffers.Binary;
using System.Collections.Immutable;
using L4Balancer.Core.Addressing;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Engine.Packets;

/// <summary>The maps of the program that takes outer headers off: which virtual addresses it serves, and what it counts. One thread at a time.</summary>
internal sealed class DecapsulationMaps : IDisposable
{
    /// <summary>Packets whose outer header was taken off.</summary>
    public const int Stripped = 0;

    /// <summary>Packets that went on to the other backend.</summary>
    public const int SentOn = 1;

    private const int AddressLength = 16;

    private DecapsulationMaps(int counts, int addresses)
    {
        Counts = counts;
        Addresses = addresses;
    }

    /// <summary>For each processor.</summary>
    public int Counts { get; }

    /// <summary>-1: packets to every address.</summary>
    public int Addresses { get; }

    /// <param name="addresses">Destinations of the packets in tunnels; empty: all.</param>
    /// <param name="fault">EPERM: CAP_BPF is missing.</param>
    public static DecapsulationMaps? TryCreate(ImmutableArray<HostAddress> addresses, out Errno fault)
    {
        SysResult counts = Bpf.CreateMap(Libc.BPF_MAP_TYPE_PERCPU_ARRAY, sizeof(int), sizeof(long), 2);
        SysResult served = counts.IsError || addresses.IsEmpty
            ? counts : Bpf.CreateMap(Libc.BPF_MAP_TYPE_HASH, AddressLength, sizeof(int), addresses.Length);
        fault = served.Errno;
        if (counts.IsError)
        {
            return null;
        }

        var maps = new DecapsulationMaps(counts.Value, addresses.IsEmpty || served.IsError ? -1 : served.Value);
        byte[] key = new byte[AddressLength];
        foreach (HostAddress address in fault == Errno.None ? addresses : [])
        {
            address.WriteTo(key);
            fault = fault == Errno.None ? Bpf.Update(maps.Addresses, key, new byte[sizeof(int)]) : fault;
        }

        if (fault != Errno.None)
        {
            maps.Dispose();
            return null;
        }

        return maps;
    }

    /// <param name="what"><see cref="Stripped"/> or <see cref="SentOn"/>.</param>
    public long CountOf(int what)
    {
        byte[] counts = new byte[sizeof(long) * Bpf.PossibleProcessors];
        long sum = 0;
        _ = Bpf.Lookup(Counts, BitConverter.GetBytes(what), counts);
        for (int at = 0; at < counts.Length; at += sizeof(long))
        {
            sum += BinaryPrimitives.ReadInt64LittleEndian(counts.AsSpan(at));
        }

        return sum;
    }

    public void Dispose()
    {
        TcpSocket.Close(Counts);
        if (Addresses >= 0)
        {
            TcpSocket.Close(Addresses);
        }
    }
}
