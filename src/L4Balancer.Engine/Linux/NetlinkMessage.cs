using System.Runtime.InteropServices;
using System.Text;

namespace L4Balancer.Engine.Linux;

/// <summary>Writes one request of netlink(7): a header, a structure of fixed size, and attributes. Numbers are in the order of the machine.</summary>
internal sealed class NetlinkRequest
{
    private const int Header = 16;

    private readonly List<byte> _bytes = [.. new byte[Header]];
    private readonly ushort _type;
    private readonly ushort _flags;

    public NetlinkRequest(ushort type, ushort flags, ReadOnlySpan<byte> body)
    {
        _type = type;
        _flags = (ushort)(flags | Libc.NLM_F_REQUEST);
        _bytes.AddRange(body);
    }

    public bool WantsAnswer => (_flags & (Libc.NLM_F_ACK | Libc.NLM_F_DUMP)) != 0;

    public NetlinkRequest With(ushort attribute, ReadOnlySpan<byte> value)
    {
        Span<byte> head = stackalloc byte[4];
        MemoryMarshal.Write(head, (ushort)(value.Length + 4));
        MemoryMarshal.Write(head[2..], attribute);
        _bytes.AddRange(head);
        _bytes.AddRange(value);
        while (_bytes.Count % 4 != 0)
        {
            _bytes.Add(0);
        }

        return this;
    }

    public NetlinkRequest With(ushort attribute, int value) => With(attribute, BitConverter.GetBytes(value));

    public NetlinkRequest With(ushort attribute, string value) => With(attribute, Encoding.UTF8.GetBytes(value + '\0'));

    public byte[] ToBytes(uint sequence)
    {
        byte[] bytes = [.. _bytes];
        MemoryMarshal.Write(bytes, (uint)bytes.Length);
        MemoryMarshal.Write(bytes.AsSpan(4), _type);
        MemoryMarshal.Write(bytes.AsSpan(6), _flags);
        MemoryMarshal.Write(bytes.AsSpan(8), sequence);
        return bytes;
    }

    /// <summary>The attributes alone, for an attribute that holds others.</summary>
    public static byte[] Nested(Func<NetlinkRequest, NetlinkRequest> attributes) => [.. attributes(new NetlinkRequest(0, 0, []))._bytes.Skip(Header)];
}

/// <summary>One message that has come from the kernel, as a part of a buffer: valid until the next one is received.</summary>
internal readonly ref struct NetlinkMessage(ushort type, uint sequence, ReadOnlySpan<byte> body)
{
    public ushort Type => type;

    public uint Sequence => sequence;

    public ReadOnlySpan<byte> Body { get; } = body;

    /// <summary>Splits the first message off.</summary>
    /// <returns>False: there is none, or it is cut off.</returns>
    public static bool TryTake(ref ReadOnlySpan<byte> bytes, out NetlinkMessage message)
    {
        const int header = 16;
        message = default;
        if (bytes.Length < header || MemoryMarshal.Read<int>(bytes) is var length && (length < header || length > bytes.Length))
        {
            return false;
        }

        message = new NetlinkMessage(MemoryMarshal.Read<ushort>(bytes[4..]), MemoryMarshal.Read<uint>(bytes[8..]), bytes[header..length]);
        bytes = bytes[Math.Min(bytes.Length, (length + 3) & ~3)..];
        return true;
    }

    /// <param name="attributes">What follows the structure of fixed size.</param>
    /// <returns>The value of the first attribute of a type; empty if there is none.</returns>
    public static ReadOnlySpan<byte> Find(ReadOnlySpan<byte> attributes, ushort type)
    {
        const ushort typeMask = 0x3fff;
        while (attributes.Length >= 4)
        {
            int length = MemoryMarshal.Read<ushort>(attributes);
            if (length < 4 || length > attributes.Length)
            {
                return [];
            }

            if ((MemoryMarshal.Read<ushort>(attributes[2..]) & typeMask) == type)
            {
                return attributes[4..length];
            }

            attributes = attributes[Math.Min(attributes.Length, (length + 3) & ~3)..];
        }

        return [];
    }
}
