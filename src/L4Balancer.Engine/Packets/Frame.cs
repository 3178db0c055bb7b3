namespace L4Balancer.Engine.Packets;

/// <summary>Where the packet program keeps what it has read, as offsets to the end of its stack (R10). R9 holds the context all the way.</summary>
internal static class Frame
{
    /// <summary>
    /// The canonical bytes of the tuple (docs/hashing.md): source address, source port, destination address, destination port, 36 bytes. Also the key
    /// of the flow.
    /// </summary>
    public const short Key = -40;

    public const short SourcePort = Key + 16;

    public const short Destination = Key + 18;

    public const short DestinationPort = Key + 34;

    /// <summary>The key of the virtual address: address of 16 bytes, port, two bytes of zero.</summary>
    public const short Service = -64;

    public const short ServicePort = Service + 16;

    /// <summary>The flags of the TCP header, or <see cref="IsIcmp"/>. 32 bits.</summary>
    public const short Flags = -68;

    /// <summary>The number of the pool, 32 bits.</summary>
    public const short Pool = -72;

    /// <summary>What the service says of itself, 32 bits.</summary>
    public const short ServiceFlags = -76;

    /// <summary>A key of 32 bits for the next map.</summary>
    public const short Number = -80;

    /// <summary>A value for the next map, 64 bits.</summary>
    public const short Value = -88;

    /// <summary>In <see cref="Flags"/>: the packet is an ICMP message about a packet of the flow.</summary>
    public const int IsIcmp = 0x100;
}

/// <summary>Why a packet is dropped; the number is its place in the map of drops.</summary>
internal enum PacketDrop
{
    /// <summary>A fragment other than the first, which has no ports.</summary>
    Fragment,

    /// <summary>No member of the pool takes it.</summary>
    NoBackend,

    /// <summary>The way to the backend is not known yet.</summary>
    NoWay,

    /// <summary>The kernel has not made room for the outer header.</summary>
    NoRoom,
}
