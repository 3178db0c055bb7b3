namespace L4Balancer.Engine.Linux;

/// <summary>An eventfd(2) by which any thread wakes a thread that waits in epoll.</summary>
internal sealed unsafe class WakeUp : IDisposable
{
    /// <exception cref="InvalidOperationException">The kernel provides none: descriptors or memory are exhausted.</exception>
    public WakeUp()
    {
        Errno fault = TcpSocket.Fault(SystemCall.EventFd, -1);
        SysResult created = fault != Errno.None
            ? SysResult.Error(fault) : SysResult.From(Libc.eventfd(0, Libc.EFD_NONBLOCK | Libc.EFD_CLOEXEC));
        if (created.IsError)
        {
            throw new InvalidOperationException($"eventfd: {created.Errno}");
        }

        Descriptor = created.Value;
    }

    public int Descriptor { get; }

    /// <summary>Any thread may call. Stays in effect until <see cref="Clear"/>, so that a later wait returns at once too.</summary>
    public void Signal()
    {
        ulong one = 1;
        _ = Libc.write(Descriptor, &one, sizeof(ulong));
    }

    public void Clear()
    {
        ulong count;
        _ = Libc.read(Descriptor, &count, sizeof(ulong));
    }

    public void Dispose() => _ = Libc.close(Descriptor);
}
