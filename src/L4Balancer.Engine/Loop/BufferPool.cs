using L4Balancer.Engine.Inspection;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Engine.Loop;

/// <summary>
/// The native buffers of one thread: one that every read uses, and those that hold the unsent rest of a read for a slow receiver. A
/// connection holds at most one per direction, and none while it is quiet.
/// </summary>
internal sealed unsafe class BufferPool : IDisposable
{
    public const int None = -1;

    /// <summary>Bytes in each buffer, and the maximum of one read.</summary>
    public const int Size = 64 * 1024;

    private const int ScratchSize = Size + ProxyPreface.Longest;

    /// <summary>Number of idle buffers kept; further ones are unmapped.</summary>
    private const int KeptIdle = 64;

    private readonly int[] _idle = new int[KeptIdle];
    private byte*[] _buffers = new byte*[16];
    private int[] _empty = new int[16];
    private int _places;
    private int _idleCount;
    private int _emptyCount;

    /// <summary>Lengths of buffers in use that are larger than <see cref="Size"/>; these are unmapped on return, not pooled.</summary>
    private readonly Dictionary<int, int> _large = [];

    private readonly HeldMemory _held;

    /// <param name="held">Charged with every buffer that is rented.</param>
    public BufferPool(HeldMemory held)
    {
        _held = held;
        Scratch = Pages.Map(ScratchSize);
    }

    /// <summary>
    /// The buffer that every read of this thread uses; its content is undefined between two calls. It has room for <see cref="Size"/> bytes
    /// after a PROXY header.
    /// </summary>
    public byte* Scratch { get; }

    public byte* this[int index] => _buffers[index];

    public int InUse => _places - _idleCount - _emptyCount;

    public int Rent()
    {
        _held.Take(Size);
        if (_idleCount > 0)
        {
            return _idle[--_idleCount];
        }

        byte* buffer = Pages.Map(Size);
        int index = _emptyCount > 0 ? _empty[--_emptyCount] : NewPlace();
        _buffers[index] = buffer;
        return index;
    }

    /// <summary>Rents a buffer for more bytes than one read returns: the content of a pipe, when a connection is adopted.</summary>
    public int RentFor(int length)
    {
        int index = Rent();
        if (length > Size)
        {
            Pages.Unmap(_buffers[index], Size);
            _buffers[index] = Pages.Map(length);
            _held.Take(length - Size);
            _large.Add(index, length);
        }

        return index;
    }

    public void Return(int index)
    {
        int length = Size;
        bool large = _large.Count > 0 && _large.Remove(index, out length);
        _held.Return(large ? length : Size);
        if (!large && _idleCount < KeptIdle)
        {
            _idle[_idleCount++] = index;
            return;
        }

        Pages.Unmap(_buffers[index], large ? length : Size);
        _buffers[index] = null;
        _empty[_emptyCount++] = index;
    }

    public void Dispose()
    {
        Pages.Unmap(Scratch, ScratchSize);
        for (int i = 0; i < _places; i++)
        {
            if (_buffers[i] != null)
            {
                Pages.Unmap(_buffers[i], _large.GetValueOrDefault(i, Size));
            }
        }
    }

    private int NewPlace()
    {
        if (_places == _buffers.Length)
        {
            var grown = new byte*[2 * _places];
            Array.Copy(_buffers, grown, _places);
            _buffers = grown;
            Array.Resize(ref _empty, 2 * _places);
        }

        return _places++;
    }
}
