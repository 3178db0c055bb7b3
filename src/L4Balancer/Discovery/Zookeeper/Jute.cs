using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace L4Balancer.Discovery.Zookeeper;

/// <summary>
/// Reads values in jute, the encoding of ZooKeeper (zookeeper.jute in its sources): integers big-endian, and before each string, buffer or vector
/// its length. A read beyond the end, or of a length that cannot be, gives an empty value and makes the reader invalid; it never throws.
/// </summary>
internal ref struct JuteReader(ReadOnlySpan<byte> bytes)
{
    private ReadOnlySpan<byte> _rest = bytes;

    /// <summary>False once a read has failed; whatever was read since then is worthless.</summary>
    public bool IsValid { get; private set; } = true;

    public int Int() => Take(sizeof(int)) is { IsEmpty: false } taken ? BinaryPrimitives.ReadInt32BigEndian(taken) : 0;

    public long Long() => Take(sizeof(long)) is { IsEmpty: false } taken ? BinaryPrimitives.ReadInt64BigEndian(taken) : 0;

    /// <summary>A buffer or a string, which is UTF-8. Null, whose length is -1, is empty.</summary>
    public ReadOnlySpan<byte> Buffer()
    {
        int length = Int();
        return length == -1 ? default : Take(length);
    }

    /// <summary>The number of items of a vector; null is an empty one.</summary>
    /// <param name="least">The smallest size of an item in bytes: more items than fit are invalid.</param>
    public int Count(int least)
    {
        int count = Int();
        if (count == -1)
        {
            return 0;
        }

        IsValid &= count >= 0 && count <= _rest.Length / least;
        return IsValid ? count : 0;
    }

    private ReadOnlySpan<byte> Take(int length)
    {
        if (!IsValid || length < 0 || length > _rest.Length)
        {
            IsValid = false;
            return default;
        }

        ReadOnlySpan<byte> taken = _rest[..length];
        _rest = _rest[length..];
        return taken;
    }
}

/// <summary>Writes one frame: its length, then values in jute. One thread at a time.</summary>
internal sealed class JuteFrame
{
    private readonly ArrayBufferWriter<byte> _bytes = new();

    public JuteFrame() => Int(0);

    public JuteFrame Int(int value)
    {
        Span<byte> bytes = stackalloc byte[sizeof(int)];
        BinaryPrimitives.WriteInt32BigEndian(bytes, value);
        _bytes.Write(bytes);
        return this;
    }

    public JuteFrame Long(long value)
    {
        Span<byte> bytes = stackalloc byte[sizeof(long)];
        BinaryPrimitives.WriteInt64BigEndian(bytes, value);
        _bytes.Write(bytes);
        return this;
    }

    public JuteFrame Bool(bool value)
    {
        _bytes.Write([value ? (byte)1 : (byte)0]);
        return this;
    }

    public JuteFrame Buffer(ReadOnlySpan<byte> value)
    {
        Int(value.Length);
        _bytes.Write(value);
        return this;
    }

    public JuteFrame Text(string value) => Buffer(Encoding.UTF8.GetBytes(value));

    /// <summary>The whole frame; nothing may be written after it.</summary>
    public byte[] ToBytes()
    {
        byte[] frame = _bytes.WrittenSpan.ToArray();
        BinaryPrimitives.WriteInt32BigEndian(frame, frame.Length - sizeof(int));
        return frame;
    }
}
