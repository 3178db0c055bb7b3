using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Numerics;

namespace L4Balancer.Core.Inspection;

/// <summary>
/// What a PROXY header of version 2 carries beside the addresses: type, length and value (proxy-protocol.txt, 2.2.1 to 2.2.8).
/// </summary>
public readonly ref struct ProxyTlvs
{
    /// <summary>PP2_TYPE_UNIQUE_ID: "up to 128 bytes".</summary>
    public const int LongestUniqueId = 128;

    internal const byte AlpnType = 0x01;
    internal const byte AuthorityType = 0x02;
    internal const byte Crc32CType = 0x03;
    internal const byte UniqueIdType = 0x05;

    /// <summary>Type and length, in bytes.</summary>
    internal const int Header = 3;

    private readonly ReadOnlySpan<byte> _bytes;

    private ProxyTlvs(ReadOnlySpan<byte> bytes) => _bytes = bytes;

    /// <summary>The host name that the client asked for (2.2.2), as sent; empty if none is given.</summary>
    public ReadOnlySpan<byte> Authority => Find(AuthorityType);

    /// <summary>The protocol of the upper layer (2.2.1); empty if none is given.</summary>
    public ReadOnlySpan<byte> Alpn => Find(AlpnType);

    /// <summary>What identifies the connection at the sender (2.2.5); empty if none is given.</summary>
    public ReadOnlySpan<byte> UniqueId => Find(UniqueIdType);

    /// <summary>The value of the first entry of a type; empty if there is none.</summary>
    public ReadOnlySpan<byte> Find(byte type)
    {
        ByteReader reader = new(_bytes);
        while (reader.TryReadByte(out byte found) && reader.TryReadVector16(out ReadOnlySpan<byte> value))
        {
            if (found == type)
            {
                return value;
            }
        }

        return default;
    }

    /// <summary>The entries must end exactly where the header ends; a checksum that is given must be right (2.2.3).</summary>
    /// <param name="header">The whole header.</param>
    /// <param name="at">Where the entries begin.</param>
    internal static bool TryParse(ReadOnlySpan<byte> header, int at, out ProxyTlvs values, [NotNullWhen(false)] out string? fault)
    {
        values = new ProxyTlvs(header[at..]);
        fault = null;
        bool hasChecksum = false;
        while (at < header.Length)
        {
            ReadOnlySpan<byte> rest = header[at..];
            int length = rest.Length < Header ? 0 : BinaryPrimitives.ReadUInt16BigEndian(rest[1..]);
            if (rest.Length < Header + length)
            {
                fault = "the TLVs of a PROXY header do not end with it";
                return false;
            }

            if (rest[0] == Crc32CType)
            {
                if (hasChecksum || length != sizeof(uint))
                {
                    fault = "the CRC32c of a PROXY header has not four bytes, or is given twice";
                    return false;
                }

                hasChecksum = true;
                if (Checksum(header, at + Header) != BinaryPrimitives.ReadUInt32BigEndian(rest[Header..]))
                {
                    fault = "the CRC32c of a PROXY header is wrong";
                    return false;
                }
            }
            else if (rest[0] == UniqueIdType && length > LongestUniqueId)
            {
                fault = "the unique id of a PROXY header is longer than 128 bytes";
                return false;
            }

            at += Header + length;
        }

        return true;
    }

    /// <summary>CRC32c of a header (RFC 9260, appendix A, formerly RFC 4960, appendix B), its own four bytes taken as zeros.</summary>
    /// <param name="at">Where these four bytes are.</param>
    internal static uint Checksum(ReadOnlySpan<byte> header, int at)
    {
        uint crc = Add(uint.MaxValue, header[..at]);
        crc = BitOperations.Crc32C(crc, 0U);
        return ~Add(crc, header[(at + sizeof(uint))..]);
    }

    private static uint Add(uint crc, ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length >= sizeof(ulong))
        {
            crc = BitOperations.Crc32C(crc, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
            bytes = bytes[sizeof(ulong)..];
        }

        foreach (byte one in bytes)
        {
            crc = BitOperations.Crc32C(crc, one);
        }

        return crc;
    }
}
