using System.Buffers.Binary;

namespace L4Balancer.Core.Inspection;

/// <summary>Reads the integers and vectors of the TLS presentation language (RFC 8446, 3) from a span; never beyond its end.</summary>
internal ref struct ByteReader(ReadOnlySpan<byte> bytes)
{
    private ReadOnlySpan<byte> _rest = bytes;

    public readonly bool IsAtEnd => _rest.IsEmpty;

    public bool TrySkip(int count)
    {
        if (_rest.Length < count)
        {
            return false;
        }

        _rest = _rest[count..];
        return true;
    }

    public bool TryReadByte(out byte value)
    {
        value = _rest.IsEmpty ? (byte)0 : _rest[0];
        return TrySkip(sizeof(byte));
    }

    public bool TryReadUInt16(out ushort value)
    {
        value = _rest.Length < sizeof(ushort) ? (ushort)0 : BinaryPrimitives.ReadUInt16BigEndian(_rest);
        return TrySkip(sizeof(ushort));
    }

    /// <summary>A vector whose length is given in one byte before it.</summary>
    public bool TryReadVector8(out ReadOnlySpan<byte> vector)
    {
        vector = default;
        return TryReadByte(out byte length) && TryTake(length, out vector);
    }

    /// <summary>A vector whose length is given in two bytes before it.</summary>
    public bool TryReadVector16(out ReadOnlySpan<byte> vector)
    {
        vector = default;
        return TryReadUInt16(out ushort length) && TryTake(length, out vector);
    }

    private bool TryTake(int length, out ReadOnlySpan<byte> taken)
    {
        taken = _rest.Length < length ? default : _rest[..length];
        return TrySkip(length);
    }
}
