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

    /// <summary>Bytes of VLAN tags between the Ethernet addresses and the type: 0, 4 or 8. 32 bits.</summary>
    public const short Tags = -92;

    /// <summary>Bytes of the IP packet, by its header. 32 bits.</summary>
    public const short Length = -96;

    /// <summary>The differentiated services of the IP header, with the two bits of ECN clear. 32 bits.</summary>
    public const short Class = -100;

    /// <summary>The protocol number of the packet in an outer header: <see cref="InnerFour"/> or <see cref="InnerSix"/>. 32 bits.</summary>
    public const short Inner = -104;

    /// <summary>The Ethernet addresses that the packet leaves with, destination first, then the <see cref="TagBytes"/>.</summary>
    public const short Macs = -124;

    /// <summary>Eight bytes after the Ethernet addresses: the VLAN tags, if there are any.</summary>
    public const short TagBytes = Macs + 12;

    /// <summary>The largest packet that fits, 32 bits.</summary>
    public const short Mtu = -128;

    /// <summary>The parameters of a look-up in the kernel's routing table: struct bpf_fib_lookup of 64 bytes.</summary>
    public const short Route = -192;

    /// <summary>The source address of the outer header, 16 bytes (IPv4: the first four).</summary>
    public const short OuterSource = -208;

    /// <summary>What marks the outer header, as in <see cref="OuterHeaderCode"/>; 0: nothing. 32 bits.</summary>
    public const short Mark = -212;

    /// <summary>The number of the backend that was chosen, while another choice is made. 32 bits.</summary>
    public const short Chosen = -216;

    /// <summary>IP in IP (RFC 2003), the protocol number of an IPv4 packet in another packet.</summary>
    public const int InnerFour = 4;

    /// <summary>The protocol number of an IPv6 packet in another packet (RFC 2473, RFC 4213).</summary>
    public const int InnerSix = 41;

    /// <summary>In <see cref="Flags"/>: the packet is an ICMP message about a packet of the flow.</summary>
    public const int IsIcmp = 0x100;
}

/// <summary>Why a packet is dropped; the number is its place in the map of drops.</summary>
internal enum PacketDrop
{
    /// <summary>A fragment of TCP other than the first, which has no ports.</summary>
    Fragment,

    /// <summary>No member of the pool takes it.</summary>
    NoBackend,

    /// <summary>The way to the backend is not known yet.</summary>
    NoWay,

    /// <summary>The kernel has not made room for the outer header.</summary>
    NoRoom,

    /// <summary>With its outer header it is larger than the way to the backend takes. The client is told, so that it sends smaller ones.</summary>
    TooBig,
}
