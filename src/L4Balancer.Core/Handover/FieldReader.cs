using System.Buffers.Binary;
using System.Text;
using L4Balancer.Core.Addressing;

namespace L4Balancer.Core.Handover;

/// <summary>
/// Reads what <see cref="FieldWriter"/> wrote, as if the bytes were hostile: never beyond their end, without an exception, and it allocates no
/// more than the bytes hold. A value that is not there, or is none of its kind, reads as the default and sets <see cref="IsBad"/>.
/// </summary>
internal ref struct FieldReader(ReadOnlySpan<byte> bytes)
{
    private ReadOnlySpan<byte> _rest = bytes;

    public readonly bool IsAtEnd => _rest.IsEmpty;

    /// <summary>A value was missing or wrong; nothing that was read can be believed.</summary>
    public bool IsBad { get; private set; }

    /// <summary>The next field.</summary>
    /// <param name="tag">With <see cref="FieldWriter.Mandatory"/> where that is set.</param>
    /// <returns>False at the end, and if what follows is no field, which is bad.</returns>
    public bool TryNext(out ushort tag, out FieldReader field)
    {
        tag = 0;
        field = default;
        if (IsBad || _rest.IsEmpty)
        {
            return false;
        }

        tag = Short();
        field = new FieldReader(Take(Int()));
        return !IsBad;
    }

    public byte Byte() => Take(sizeof(byte)) is [var value] ? value : (byte)0;

    public bool Flag() => Byte() != 0;

    public ushort Short() => Take(sizeof(ushort)) is { IsEmpty: false } value ? BinaryPrimitives.ReadUInt16LittleEndian(value) : (ushort)0;

    public int Int() => Take(sizeof(int)) is { IsEmpty: false } value ? BinaryPrimitives.ReadInt32LittleEndian(value) : 0;

    public long Long() => Take(sizeof(long)) is { IsEmpty: false } value ? BinaryPrimitives.ReadInt64LittleEndian(value) : 0;

    /// <summary>A number of things or a duration: negative is bad.</summary>
    public long Count()
    {
        long value = Long();
        IsBad |= value < 0;
        return Math.Max(value, 0);
    }

    public TimeSpan Duration() => new(Count());

    /// <summary>Text or null; bytes that are no UTF-8 read as U+FFFD.</summary>
    public string? Text()
    {
        int length = Int();
        return length == -1 ? null : Encoding.UTF8.GetString(Take(length));
    }

    /// <summary>As <see cref="Text"/>; null is bad.</summary>
    public string Name()
    {
        string? text = Text();
        IsBad |= text is null;
        return text ?? "";
    }

    public HostAddress Address()
    {
        ReadOnlySpan<byte> bytes = Take(16);
        return bytes.IsEmpty ? default : HostAddress.FromV6(bytes);
    }

    public Endpoint Endpoint()
    {
        byte kind = Byte();
        ushort port = Short();
        switch (kind)
        {
            case 0:
                return new Endpoint(Address(), port);
            case 1:
                string path = Name();
                if (UnixPaths.IsPath(path))
                {
                    return Addressing.Endpoint.OfUnix(path);
                }

                break;
            case 2:
                return Addressing.Endpoint.OfUnixClient(port);
        }

        IsBad = true;
        return default;
    }

    /// <summary>What was read is wrong for a reason that the caller knows.</summary>
    public void Refuse() => IsBad = true;

    private ReadOnlySpan<byte> Take(int count)
    {
        if (IsBad || count < 0 || count > _rest.Length)
        {
            IsBad = true;
            return default;
        }

        ReadOnlySpan<byte> taken = _rest[..count];
        _rest = _rest[count..];
        return taken;
    }
}
