using System.Runtime.InteropServices;

namespace L4Balancer.Engine.Linux;

/// <summary>
/// One epoll instance (epoll(7)) and the events of its last wait. For one thread, except <see cref="Add"/>, <see cref="Modify"/> and
/// <see cref="Remove"/>, which the kernel allows on any thread.
/// </summary>
internal sealed unsafe class EventPoll : IDisposable
{
    private readonly byte* _events;
    private readonly int _capacity;
    private readonly int _descriptor;

    /// <param name="capacity">Maximum number of events per wait.</param>
    /// <exception cref="InvalidOperationException">The kernel provides no instance: descriptors or memory are exhausted.</exception>
    public EventPoll(int capacity)
    {
        Errno fault = TcpSocket.Fault(SystemCall.EpollCreate, -1);
        SysResult created = fault != Errno.None ? SysResult.Error(fault) : SysResult.From(Libc.epoll_create1(Libc.EPOLL_CLOEXEC));
        if (created.IsError)
        {
            throw new InvalidOperationException($"epoll_create1: {created.Errno}");
        }

        _descriptor = created.Value;
        _capacity = capacity;
        _events = (byte*)NativeMemory.AllocZeroed((nuint)(capacity * Stride));
    }

    /// <summary>struct epoll_event is packed on x86-64 and nowhere else (sys/epoll.h): 12 bytes there, 16 elsewhere.</summary>
    private static int Stride => RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 12 : 16;

    private static int DataOffset => Stride - sizeof(ulong);

    /// <summary>ENOSPC: fs.epoll.max_user_watches is reached (epoll(7)).</summary>
    public SysResult Add(int descriptor, uint events, ulong data)
    {
        Errno fault = TcpSocket.Fault(SystemCall.EpollAdd, descriptor);
        if (fault != Errno.None)
        {
            return SysResult.Error(fault);
        }

        return Control(Libc.EPOLL_CTL_ADD, descriptor, events, data);
    }

    /// <summary>Everything that the descriptor is ready for is reported by the next wait, also edges that were reported before.</summary>
    public SysResult Modify(int descriptor, uint events, ulong data) => Control(Libc.EPOLL_CTL_MOD, descriptor, events, data);

    public SysResult Remove(int descriptor) => SysResult.From(Libc.epoll_ctl(_descriptor, Libc.EPOLL_CTL_DEL, descriptor, null));

    private SysResult Control(int operation, int descriptor, uint events, ulong data)
    {
        byte* entry = stackalloc byte[16];
        *(uint*)entry = events;
        *(ulong*)(entry + DataOffset) = data;
        return SysResult.From(Libc.epoll_ctl(_descriptor, operation, descriptor, entry));
    }

    /// <param name="milliseconds">-1: no timeout. EINTR returns no events; the caller's loop waits again.</param>
    /// <returns>The number of events, readable by <see cref="Events"/> and <see cref="Data"/> until the next wait.</returns>
    public int Wait(int milliseconds)
    {
        if (TcpSocket.Fault(SystemCall.EpollWait, _descriptor) != Errno.None)
        {
            return 0;
        }

        SysResult count = SysResult.From(Libc.epoll_wait(_descriptor, _events, _capacity, milliseconds));
        return count.IsError ? 0 : count.Value;
    }

    public uint Events(int index) => *(uint*)(_events + (index * Stride));

    public ulong Data(int index) => *(ulong*)(_events + (index * Stride) + DataOffset);

    public void Dispose()
    {
        _ = Libc.close(_descriptor);
        NativeMemory.Free(_events);
    }
}
