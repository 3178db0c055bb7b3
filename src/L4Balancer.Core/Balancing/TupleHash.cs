using System.Buffers.Binary;
using L4Balancer.Core.Addressing;

namespace L4Balancer.Core.Balancing;

/// <summary>
/// The published hash of a connection's tuple: XXH64 over its canonical bytes (docs/hashing.md). A v4 client and the same client
/// in v4-mapped form have the same bytes. Pure; any thread.
/// </summary>
public static class TupleHash
{
    /// <summary>The canonical bytes of all four fields: two addresses of 16 bytes, two ports of 2.</summary>
    public const int MaxLength = 36;

    private const int AddressLength = 16;

    public static ulong Of(in FourTuple tuple, TupleKey key, ulong seed)
    {
        Span<byte> bytes = stackalloc byte[MaxLength];
        int length = Write(tuple, key, bytes);
        return XxHash64.Hash(bytes[..length], seed);
    }

    /// <summary>Hash of a text with seed 0, for values that must differ between names.</summary>
    internal static ulong OfText(string text) => XxHash64.Hash(System.Text.Encoding.UTF8.GetBytes(text), 0);

    /// <summary>Writes the chosen fields in network byte order, always source before destination and address before port.</summary>
    /// <param name="destination">At least <see cref="MaxLength"/> bytes.</param>
    /// <returns>How many bytes were written; a field that is not chosen takes none.</returns>
    public static int Write(in FourTuple tuple, TupleKey key, Span<byte> destination)
    {
        TupleFields fields = key.Fields;
        int length = 0;
        if ((fields & (TupleFields.SourceIp | TupleFields.SourceNet)) != 0)
        {
            HostAddress source = tuple.Source.Address;
            ((fields & TupleFields.SourceIp) != 0 ? source : key.Net.Of(source)).WriteTo(destination);
            length = AddressLength;
        }

        if ((fields & TupleFields.SourcePort) != 0)
        {
            BinaryPrimitives.WriteUInt16BigEndian(destination[length..], tuple.Source.Port);
            length += sizeof(ushort);
        }

        if ((fields & TupleFields.DestinationIp) != 0)
        {
            tuple.Destination.Address.WriteTo(destination[length..]);
            length += AddressLength;
        }

        if ((fields & TupleFields.DestinationPort) != 0)
        {
            BinaryPrimitives.WriteUInt16BigEndian(destination[length..], tuple.Destination.Port);
            length += sizeof(ushort);
        }

        return length;
    }
}
