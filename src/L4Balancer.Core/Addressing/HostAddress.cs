using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Net;

namespace L4Balancer.Core.Addressing;

/// <summary>
/// An IPv4 or IPv6 address as a value of 16 bytes. IPv4 is stored in its v4-mapped form (RFC 4291, 2.5.5.2), so that a v4 client
/// equals the same client seen through a v6 socket. Scope identifiers are not kept.
/// </summary>
public readonly record struct HostAddress : IComparable<HostAddress>
{
    private const ulong MappedPrefix = 0x0000_FFFF_0000_0000;

    private readonly ulong _high;
    private readonly ulong _low;

    /// <param name="high">The first eight bytes in network order, read as a big-endian number.</param>
    /// <param name="low">The last eight bytes in network order, read as a big-endian number.</param>
    public HostAddress(ulong high, ulong low)
    {
        _high = high;
        _low = low;
    }

    public static HostAddress Any4 => FromV4(0);

    public static HostAddress Any6 => default;

    public bool IsV4 => _high == 0 && (_low & 0xFFFF_FFFF_0000_0000) == MappedPrefix;

    /// <summary>The wildcard of its family: 0.0.0.0 or [::].</summary>
    public bool IsAny => this == Any4 || this == Any6;

    /// <summary>127.0.0.0/8 (RFC 1122, 3.2.1.3) or ::1.</summary>
    public bool IsLoopback => IsV4 ? (byte)(_low >> 24) == 127 : _high == 0 && _low == 1;

    /// <summary>fe80::/10 (RFC 4291, 2.5.6).</summary>
    public bool IsLinkLocal6 => _high >> 54 == 0x3FA;

    /// <summary>The IPv4 address as a host-order number; only meaningful if <see cref="IsV4"/>.</summary>
    public uint V4 => (uint)_low;

    /// <param name="address">Host order: 127.0.0.1 is 0x7F000001.</param>
    public static HostAddress FromV4(uint address) => new(0, MappedPrefix | address);

    /// <param name="bytes">Sixteen bytes in network order; a v4-mapped address becomes IPv4.</param>
    public static HostAddress FromV6(ReadOnlySpan<byte> bytes) =>
        new(BinaryPrimitives.ReadUInt64BigEndian(bytes), BinaryPrimitives.ReadUInt64BigEndian(bytes[8..]));

    public static HostAddress From(IPAddress address)
    {
        ArgumentNullException.ThrowIfNull(address);
        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out int written);
        return written == 4 ? FromV4(BinaryPrimitives.ReadUInt32BigEndian(bytes)) : FromV6(bytes);
    }

    /// <summary>
    /// Accepts a dotted quad without leading zeros, or IPv6 text (RFC 4291, 2.2) without brackets and scope; nothing else.
    /// </summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out HostAddress address)
    {
        address = default;
        if (string.IsNullOrEmpty(text) || text.AsSpan().ContainsAny('%', '[', ']') || !IsWellFormed(text)
            || !IPAddress.TryParse(text, out IPAddress? parsed))
        {
            return false;
        }

        address = From(parsed);
        return true;
    }

    /// <summary>Writes the 16 bytes in network order, IPv4 in its mapped form.</summary>
    public void WriteTo(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt64BigEndian(destination, _high);
        BinaryPrimitives.WriteUInt64BigEndian(destination[8..], _low);
    }

    public IPAddress ToIPAddress()
    {
        Span<byte> bytes = stackalloc byte[16];
        WriteTo(bytes);
        return new IPAddress(IsV4 ? bytes[12..] : bytes);
    }

    /// <summary>Whether both addresses have the same first bits, counted in the 16 bytes (IPv4 starts at bit 96).</summary>
    /// <param name="bits">0 to 128.</param>
    public bool SharesPrefix(HostAddress other, int bits)
    {
        return Masked(bits) == other.Masked(bits);
    }

    /// <summary>Clears all but the first bits, counted in the 16 bytes (IPv4 starts at bit 96).</summary>
    /// <param name="bits">0 to 128.</param>
    public HostAddress Masked(int bits)
    {
        // C# masks the shift count: a shift by 64 is a shift by 0.
        ulong high = bits == 0 ? 0 : ulong.MaxValue << (64 - Math.Min(bits, 64));
        ulong low = bits <= 64 ? 0 : ulong.MaxValue << (128 - bits);
        return new HostAddress(_high & high, _low & low);
    }

    /// <summary>
    /// The folded 128-bit product of both halves, each combined with a secret key: the step of wyhash (github.com/wangyi-fudan/wyhash), done twice so that a half
    /// that is constant in all addresses does not leave the other to one multiplication.
    /// </summary>
    internal int HashWith(ulong keyHigh, ulong keyLow)
    {
        ulong first = Fold(_high ^ keyHigh, _low ^ keyLow);
        ulong second = Fold(first ^ keyLow, keyHigh | 1);
        return (int)(second ^ (second >> 32));

        static ulong Fold(ulong a, ulong b)
        {
            ulong upper = Math.BigMul(a, b, out ulong lower);
            return upper ^ lower;
        }
    }

    public int CompareTo(HostAddress other) =>
        _high != other._high ? _high.CompareTo(other._high) : _low.CompareTo(other._low);

    public override string ToString() => ToIPAddress().ToString();

    public static bool operator <(HostAddress left, HostAddress right) => left.CompareTo(right) < 0;

    public static bool operator >(HostAddress left, HostAddress right) => left.CompareTo(right) > 0;

    public static bool operator <=(HostAddress left, HostAddress right) => left.CompareTo(right) <= 0;

    public static bool operator >=(HostAddress left, HostAddress right) => left.CompareTo(right) >= 0;

    // IPAddress.TryParse also accepts "1", "0x7f.1" and "010.0.0.1" (octal), forms that hide mistakes in a configuration.
    private static bool IsWellFormed(string text)
    {
        if (text.Contains(':', StringComparison.Ordinal))
        {
            return true;
        }

        string[] parts = text.Split('.');
        return parts.Length == 4
            && parts.All(static p => p.Length is > 0 and <= 3 && p.All(char.IsAsciiDigit) && (p.Length == 1 || p[0] != '0'));
    }
}
