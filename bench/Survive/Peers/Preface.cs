using System.Buffers.Binary;

namespace L4Balancer.Bench.Survive.Peers;

/// <summary>
/// The first bytes of a connection, by which both ends know what comes: the backend sends them back, and the connection counts as open.
/// </summary>
/// <param name="Id">Of the connection, in the bench; both streams are derived from it.</param>
/// <param name="Chunk">Bytes of a message, or of a chunk of bulk.</param>
/// <param name="First">Bytes of the first chunk of bulk.</param>
internal readonly record struct Preface(ulong Id, int Chunk, int First, Third Third, bool FromBackend)
{
    /// <summary>Bytes on the wire.</summary>
    public const int Length = 24;

    private const uint Magic = 0x5EED_0017;

    public void Write(Span<byte> target)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(target, Magic);
        BinaryPrimitives.WriteUInt64LittleEndian(target[4..], Id);
        BinaryPrimitives.WriteInt32LittleEndian(target[12..], Chunk);
        BinaryPrimitives.WriteInt32LittleEndian(target[16..], First);
        target[20] = (byte)Third;
        target[21] = FromBackend ? (byte)1 : (byte)0;
        target[22] = 0;
        target[23] = 0;
    }

    /// <returns>Null where these are not the bytes of one.</returns>
    public static Preface? Read(ReadOnlySpan<byte> source) => BinaryPrimitives.ReadUInt32LittleEndian(source) == Magic
        ? new Preface(
            BinaryPrimitives.ReadUInt64LittleEndian(source[4..]),
            BinaryPrimitives.ReadInt32LittleEndian(source[12..]),
            BinaryPrimitives.ReadInt32LittleEndian(source[16..]),
            (Third)source[20],
            source[21] == 1)
        : null;
}
