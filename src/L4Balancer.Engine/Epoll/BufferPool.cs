using System.Runtime.InteropServices;

namespace L4Balancer.Engine.Epoll;

/// <summary>
/// The native buffers of one thread: one that every read goes through, and those in which the unsent rest of a read waits for a slow
/// reader. A connection holds at most one per direction, and none while it is quiet.
/// </summary>
internal sealed unsafe class BufferPool : IDisposable
{
    public const int None = -1;

    /// <summary>Bytes in each buffer: what one read can bring.</summary>
    public const int Size = 64 * 1024;

    /// <summary>Idle buffers beyond these go back to the system.</summary>
    private const int KeptIdle = 64;

    private nint[] _buffers = new nint[16];
    private int[] _free = new int[16];
    private int _opened;
    private int _freeCount;
    private int _idleBuffers;

    /// <summary>Buffers in use that are larger than <see cref="Size"/>: they go back to the system, not to the pool.</summary>
    private readonly HashSet<int> _large = [];

    public BufferPool() => Scratch = (byte*)NativeMemory.AlignedAlloc(Size, 4096);

    /// <summary>The buffer that every read of this thread goes through; its content is nobody's between two calls.</summary>
    public byte* Scratch { get; }

    public byte* this[int index] => (byte*)_buffers[index];

    public int InUse => _opened - _freeCount;

    public int Rent()
    {
        if (_freeCount == 0)
        {
            if (_opened == _buffers.Length)
            {
                Array.Resize(ref _buffers, 2 * _opened);
                Array.Resize(ref _free, 2 * _opened);
            }

            _free[_freeCount++] = _opened++;
        }

        int index = _free[--_freeCount];
        if (_buffers[index] == 0)
        {
            _buffers[index] = (nint)NativeMemory.AlignedAlloc(Size, 4096);
        }
        else
        {
            _idleBuffers--;
        }

        return index;
    }

    /// <summary>A buffer of its own for more bytes than a read can bring: what a pipe held, when a connection is adopted.</summary>
    public int RentFor(int length)
    {
        int index = Rent();
        if (length > Size)
        {
            NativeMemory.AlignedFree((void*)_buffers[index]);
            _buffers[index] = (nint)NativeMemory.AlignedAlloc((nuint)length, 4096);
            _large.Add(index);
        }

        return index;
    }

    public void Return(int index)
    {
        bool large = _large.Count > 0 && _large.Remove(index);
        if (!large && _idleBuffers < KeptIdle)
        {
            _idleBuffers++;
        }
        else
        {
            NativeMemory.AlignedFree((void*)_buffers[index]);
            _buffers[index] = 0;
        }

        _free[_freeCount++] = index;
    }

    public void Dispose()
    {
        NativeMemory.AlignedFree(Scratch);
        for (int i = 0; i < _opened; i++)
        {
            NativeMemory.AlignedFree((void*)_buffers[i]);
        }
    }
}
