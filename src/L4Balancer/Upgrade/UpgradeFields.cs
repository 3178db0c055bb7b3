using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace L4Balancer.Upgrade;

/// <summary>
/// The bytes of a message: fields of a tag (2 bytes), a length (4) and as many bytes, little-endian. A reader passes over a tag that it does
/// not know, unless its highest bit is set (<see cref="Mandatory"/>): then the message is refused, because its meaning depends on that field.
/// </summary>
internal sealed class UpgradeFieldWriter
{
    /// <summary>A tag with this bit must be understood.</summary>
    public const ushort Mandatory = 0x8000;

    private readonly ArrayBufferWriter<byte> _bytes = new(256);

    public ReadOnlyMemory<byte> Written => _bytes.WrittenMemory;

    public UpgradeFieldWriter Add(ushort tag, ReadOnlySpan<byte> value)
    {
        Span<byte> place = _bytes.GetSpan(6 + value.Length);
        BinaryPrimitives.WriteUInt16LittleEndian(place, tag);
        BinaryPrimitives.WriteInt32LittleEndian(place[2..], value.Length);
        value.CopyTo(place[6..]);
        _bytes.Advance(6 + value.Length);
        return this;
    }

    public UpgradeFieldWriter Add(ushort tag, long value)
    {
        Span<byte> bytes = stackalloc byte[sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, value);
        return Add(tag, bytes);
    }

    public UpgradeFieldWriter Add(ushort tag, string value) => Add(tag, Encoding.UTF8.GetBytes(value));
}

/// <summary>Reads what <see cref="UpgradeFieldWriter"/> has written, field after field; believes nothing.</summary>
internal ref struct UpgradeFieldReader(ReadOnlySpan<byte> bytes)
{
    private readonly ReadOnlySpan<byte> _bytes = bytes;
    private int _at;
    private ReadOnlySpan<byte> _value;

    public ushort Tag { get; private set; }

    public readonly ReadOnlySpan<byte> Value => _value;

    /// <summary>Goes to the next field.</summary>
    /// <returns>False at the end.</returns>
    /// <exception cref="UpgradeException">The bytes are no fields.</exception>
    public bool Next()
    {
        ReadOnlySpan<byte> left = _bytes[_at..];
        if (left.IsEmpty)
        {
            return false;
        }

        int length = left.Length < 6 ? -1 : BinaryPrimitives.ReadInt32LittleEndian(left[2..]);
        if (length < 0 || length > left.Length - 6)
        {
            throw new UpgradeException("a message of the other process cannot be read");
        }

        Tag = BinaryPrimitives.ReadUInt16LittleEndian(left);
        _value = left.Slice(6, length);
        _at += 6 + length;
        return true;
    }

    /// <exception cref="UpgradeException">The field is not a number.</exception>
    public readonly long Number() => _value.Length == sizeof(long)
        ? BinaryPrimitives.ReadInt64LittleEndian(_value) : throw new UpgradeException($"field {Tag:x4} of a message is not a number");

    public readonly int Count() => (int)Math.Clamp(Number(), 0, int.MaxValue);

    public readonly string Text() => Encoding.UTF8.GetString(_value);

    /// <summary>For a tag that the reader does not know.</summary>
    /// <exception cref="UpgradeException">It must be understood.</exception>
    public readonly void Pass()
    {
        if ((Tag & UpgradeFieldWriter.Mandatory) != 0)
        {
            throw new UpgradeException($"the other process sent the field {Tag:x4}, which this version must know and does not");
        }
    }
}
