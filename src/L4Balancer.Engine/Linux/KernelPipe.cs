namespace L4Balancer.Engine.Linux;

/// <summary>The two ends of a pipe(2) through which splice(2) moves socket pages, and its capacity in bytes.</summary>
internal readonly record struct KernelPipe(int ReadEnd, int WriteEnd, int Capacity)
{
    private const uint SpliceFlags = Libc.SPLICE_F_MOVE | Libc.SPLICE_F_NONBLOCK;

    /// <summary>Opens a pipe of this size, or of the size that pipe-user-pages-soft (pipe(7)) allows.</summary>
    /// <param name="smallest">A smaller pipe is closed again, because copying is better then.</param>
    /// <returns>False if no descriptor, no memory or only a smaller pipe is available.</returns>
    public static unsafe bool TryOpen(int size, int smallest, out KernelPipe pipe)
    {
        pipe = default;
        if (TcpSocket.Fault(SystemCall.Pipe, -1) != Errno.None)
        {
            return false;
        }

        int* ends = stackalloc int[2];
        if (Libc.pipe2(ends, Libc.O_NONBLOCK | Libc.O_CLOEXEC) != 0)
        {
            return false;
        }

        // EPERM: the user's pages are used up, so the pipe keeps its present size.
        int capacity = Libc.fcntl(ends[1], Libc.F_SETPIPE_SZ, size);
        if (capacity < 0)
        {
            capacity = Libc.fcntl(ends[1], Libc.F_GETPIPE_SZ, 0);
        }

        pipe = new KernelPipe(ends[0], ends[1], capacity);
        if (capacity >= smallest)
        {
            return true;
        }

        pipe.Close();
        return false;
    }

    /// <summary>Bytes that it holds (FIONREAD, pipe(7)); 0 if it is not open.</summary>
    public int Unread => TcpSocket.Unread(ReadEnd);

    /// <summary>Moves bytes from a socket into the pipe. EAGAIN: the socket is empty, or the pipe is full.</summary>
    public unsafe SysResult FillFrom(int socket)
    {
        Errno fault = TcpSocket.Fault(SystemCall.SpliceIn, socket);
        if (fault != Errno.None)
        {
            return SysResult.Error(fault);
        }

        SysResult moved;
        do
        {
            moved = SysResult.From(Libc.splice(socket, null, WriteEnd, null, (nuint)Capacity, SpliceFlags));
        }
        while (moved.Errno == Errno.EINTR);
        return moved;
    }

    /// <summary>Moves bytes from the pipe into a socket. EAGAIN: the socket's send buffer is full.</summary>
    /// <param name="count">The number of bytes in the pipe.</param>
    public unsafe SysResult DrainTo(int socket, int count)
    {
        Errno fault = TcpSocket.Fault(SystemCall.SpliceOut, socket);
        if (fault != Errno.None)
        {
            return SysResult.Error(fault);
        }

        SysResult moved;
        do
        {
            moved = SysResult.From(Libc.splice(ReadEnd, null, socket, null, (nuint)count, SpliceFlags));
        }
        while (moved.Errno == Errno.EINTR);
        return moved;
    }

    /// <summary>Copies bytes out of the pipe (read(2)).</summary>
    public unsafe SysResult Read(byte* buffer, int length)
    {
        SysResult read;
        do
        {
            read = SysResult.From(Libc.read(ReadEnd, buffer, (nuint)length));
        }
        while (read.Errno == Errno.EINTR);
        return read;
    }

    public void Close()
    {
        _ = Libc.close(ReadEnd);
        _ = Libc.close(WriteEnd);
    }
}
