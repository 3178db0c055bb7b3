using L4Balancer.Engine.Ledger;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Engine.Loop;

/// <summary>
/// The kernel pipes of one thread, rented only while bytes are in flight. When no further pipe is available, the caller copies, and the
/// pool does not ask the kernel again for a while.
/// </summary>
/// <param name="ledger">Where pipes are noted; null: nowhere.</param>
/// <param name="held">Charged with every pipe that is rented; none is rented where it has no room.</param>
internal sealed class PipePool(int limit, HeldMemory held, WorkerLedger? ledger = null) : IDisposable
{
    public const short None = -1;

    /// <summary>Larger pipes slow many streams down (docs/performance.md).</summary>
    private const int Size = 256 * 1024;

    /// <summary>The default size of a pipe (pipe(7)). Beyond pipe-user-pages-soft the kernel grants only one page.</summary>
    private const int SmallestUseful = 64 * 1024;

    /// <summary>Number of rents refused without a system call after the kernel failed to provide a pipe.</summary>
    private const int RefusalsAfterFailure = 1024;

    private readonly KernelPipe[] _pipes = new KernelPipe[limit];
    private readonly short[] _idle = new short[limit];
    private readonly short[] _closed = new short[limit];
    private int _places;
    private int _idleCount;
    private int _closedCount;
    private int _refusals;

    public int InUse => _places - _idleCount - _closedCount;

    public KernelPipe this[short index] => _pipes[index];

    public bool TryRent(out short index)
    {
        index = None;
        if (!held.HasRoomFor(Size))
        {
            return false;
        }

        if (_idleCount > 0)
        {
            held.Take(Size);
            index = _idle[--_idleCount];
            return true;
        }

        int place = FreePlace;
        if (place == limit || !TryOpen(out KernelPipe pipe))
        {
            return false;
        }

        index = Put(place, pipe);
        return true;
    }

    /// <summary>Takes a pipe of another process, perhaps with bytes in it, which is rented from then on.</summary>
    /// <returns>False if there is no place: the pipe remains the caller's, who copies what it holds.</returns>
    public bool TryAdopt(KernelPipe pipe, out short index)
    {
        index = None;
        if (FreePlace == limit && _idleCount > 0)
        {
            CloseAt(_idle[--_idleCount]);
        }

        int place = FreePlace;
        if (place == limit)
        {
            return false;
        }

        index = Put(place, pipe);
        return true;
    }

    /// <param name="clean">The pipe is empty. Otherwise it is closed, and its place gets a new one when next rented.</param>
    public void Return(short index, bool clean)
    {
        held.Return(Size);
        if (clean)
        {
            _idle[_idleCount++] = index;
            return;
        }

        CloseAt(index);
    }

    public void Dispose()
    {
        for (int i = 0; i < _places; i++)
        {
            if (_pipes[i].Capacity > 0)
            {
                ledger?.RemovePipe(i);
                _pipes[i].Close();
            }
        }
    }

    private void CloseAt(short index)
    {
        ledger?.RemovePipe(index);
        _pipes[index].Close();
        _pipes[index] = default;
        _closed[_closedCount++] = index;
    }

    private int FreePlace => _closedCount > 0 ? _closed[_closedCount - 1] : _places;

    private short Put(int place, KernelPipe pipe)
    {
        held.Take(Size);
        _pipes[place] = pipe;
        ledger?.AddPipe(place, pipe);
        _closedCount -= place < _places ? 1 : 0;
        _places = Math.Max(_places, place + 1);
        return (short)place;
    }

    private bool TryOpen(out KernelPipe pipe)
    {
        pipe = default;
        if (_refusals > 0)
        {
            _refusals--;
            return false;
        }

        if (KernelPipe.TryOpen(Size, SmallestUseful, out pipe))
        {
            return true;
        }

        _refusals = RefusalsAfterFailure;
        return false;
    }
}
