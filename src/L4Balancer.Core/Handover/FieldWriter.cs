using System.Buffers.Binary;
using System.Text;
using L4Balancer.Core.Addressing;

namespace L4Balancer.Core.Handover;

/// <summary>
/// Writes the format that two processes of perhaps different versions speak: fields of a tag (u16, with <see cref="Mandatory"/> as its highest
/// bit), a length (u32), and so many bytes, which may be fields again. All numbers are little-endian. A reader skips a field that it does not
/// know, unless it is mandatory, and what follows in a field after the values that it knows.
/// </summary>
internal sealed class FieldWriter
{
    /// <summary>A reader that does not know the field must refuse what it is part of.</summary>
    public const ushort Mandatory = 0x8000;

    private byte[] _bytes;
    private int _length;

    public FieldWriter(int capacity = 512) => _bytes = new byte[capacity];

    public int Length => _length;

    public ReadOnlySpan<byte> Written => _bytes.AsSpan(0, _length);

    public byte[] ToArray() => Written.ToArray();

    /// <summary>Begins a field, which <see cref="End"/> ends; fields may be nested.</summary>
    /// <returns>The place of its first value.</returns>
    public int Begin(ushort tag)
    {
        Short(tag);
        Int(0);
        return _length;
    }

    public void End(int begun) => BinaryPrimitives.WriteInt32LittleEndian(_bytes.AsSpan(begun - sizeof(int)), _length - begun);

    public void Byte(byte value) => Next(sizeof(byte))[0] = value;

    public void Flag(bool value) => Byte(value ? (byte)1 : (byte)0);

    public void Short(ushort value) => BinaryPrimitives.WriteUInt16LittleEndian(Next(sizeof(ushort)), value);

    public void Int(int value) => BinaryPrimitives.WriteInt32LittleEndian(Next(sizeof(int)), value);

    public void Long(long value) => BinaryPrimitives.WriteInt64LittleEndian(Next(sizeof(long)), value);

    /// <summary>The length in bytes of its UTF-8, or -1 for null, then those.</summary>
    public void Text(string? value)
    {
        if (value is null)
        {
            Int(-1);
            return;
        }

        int length = Encoding.UTF8.GetByteCount(value);
        Int(length);
        Encoding.UTF8.GetBytes(value, Next(length));
    }

    /// <summary>16 bytes in network order, IPv4 in its mapped form (RFC 4291, 2.5.5.2).</summary>
    public void Address(HostAddress value) => value.WriteTo(Next(16));

    /// <summary>A kind (0 IP, 1 UNIX socket, 2 client of one), the port or number, and the address or the path.</summary>
    public void Endpoint(Endpoint value)
    {
        bool isClient = value.IsUnix && value.UnixPath.Length == 0;
        Byte(isClient ? (byte)2 : value.IsUnix ? (byte)1 : (byte)0);
        Short(value.Port);
        if (!value.IsUnix)
        {
            Address(value.Address);
        }
        else if (!isClient)
        {
            Text(value.UnixPath);
        }
    }

    private Span<byte> Next(int count)
    {
        int begin = _length;
        _length = checked(begin + count);
        if (_length > _bytes.Length)
        {
            Array.Resize(ref _bytes, Math.Max(_length, 2 * _bytes.Length));
        }

        return _bytes.AsSpan(begin, count);
    }
}
