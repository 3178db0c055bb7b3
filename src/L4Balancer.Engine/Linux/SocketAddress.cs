using System.Buffers.Binary;
using System.Runtime.InteropServices;
using L4Balancer.Core.Addressing;

namespace L4Balancer.Engine.Linux;

/// <summary>sockaddr_in (ip(7)) and sockaddr_in6 (ipv6(7)) in one buffer: family in host order, port and address in network order.</summary>
[StructLayout(LayoutKind.Sequential, Size = Capacity)]
internal unsafe struct SocketAddress
{
    /// <summary>sizeof(struct sockaddr_in6).</summary>
    public const int Capacity = 28;

    /// <summary>sizeof(struct sockaddr_in), which is that of struct sockaddr too.</summary>
    public const uint ShortestLength = LengthV4;

    private const uint LengthV4 = 16;

    private fixed byte _bytes[Capacity];

    public static uint Write(Endpoint endpoint, out SocketAddress address)
    {
        address = default;
        Span<byte> bytes = MemoryMarshal.AsBytes(new Span<SocketAddress>(ref address));
        bool v4 = endpoint.Address.IsV4;
        MemoryMarshal.Write(bytes, (ushort)(v4 ? Libc.AF_INET : Libc.AF_INET6));
        BinaryPrimitives.WriteUInt16BigEndian(bytes[2..], endpoint.Port);
        if (v4)
        {
            BinaryPrimitives.WriteUInt32BigEndian(bytes[4..], endpoint.Address.V4);
            return LengthV4;
        }

        endpoint.Address.WriteTo(bytes[8..]);
        return Capacity;
    }

    public static Endpoint Read(ref SocketAddress address)
    {
        ReadOnlySpan<byte> bytes = MemoryMarshal.AsBytes(new Span<SocketAddress>(ref address));
        ushort port = BinaryPrimitives.ReadUInt16BigEndian(bytes[2..]);
        ushort family = MemoryMarshal.Read<ushort>(bytes);
        if (family == Libc.AF_UNIX)
        {
            // The path, if there is one, does not fit. Clients and sockets that connect have none.
            return Endpoint.OfUnixClient(0);
        }

        return family == Libc.AF_INET
            ? new Endpoint(HostAddress.FromV4(BinaryPrimitives.ReadUInt32BigEndian(bytes[4..])), port)
            : new Endpoint(HostAddress.FromV6(bytes[8..]), port);
    }
}
