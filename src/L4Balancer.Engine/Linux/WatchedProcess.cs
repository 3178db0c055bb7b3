using System.Runtime.Versioning;

namespace L4Balancer.Engine.Linux;

/// <summary>
/// Another process, by a descriptor (pidfd_open(2), Linux 5.3): unlike its number, it never means a later process. Any thread; disposal
/// must come last.
/// </summary>
[SupportedOSPlatform("linux")]
public sealed unsafe class WatchedProcess : IDisposable
{
    private int _descriptor;

    private WatchedProcess(int id, int descriptor)
    {
        Id = id;
        _descriptor = descriptor;
    }

    /// <summary>Its process id.</summary>
    public int Id { get; }

    /// <summary>Whether it has ended, waited for by its parent or not.</summary>
    public bool HasEnded => Wait(TimeSpan.Zero);

    /// <summary>Readable (poll(2)) from its end on.</summary>
    internal int Descriptor => _descriptor;

    /// <returns>Null if there is no such process, or no descriptor left.</returns>
    public static WatchedProcess? TryOpen(int id)
    {
        SysResult opened = SysResult.From(Libc.pidfd_open(id));
        return opened.IsError ? null : new WatchedProcess(id, opened.Value);
    }

    /// <summary>Blocks until it has ended.</summary>
    /// <returns>False if it has not within this time.</returns>
    public bool Wait(TimeSpan limit)
    {
        long until = Environment.TickCount64 + (long)limit.TotalMilliseconds;
        while (true)
        {
            var end = new Libc.PollFd { fd = _descriptor, events = Libc.POLLIN };
            SysResult ready = SysResult.From(Libc.poll(&end, 1, (int)Math.Max(0, until - Environment.TickCount64)));
            if (!ready.IsError || ready.Errno != Errno.EINTR)
            {
                return ready.Value > 0;
            }
        }
    }

    /// <summary>Ends it without any order (SIGKILL); nothing happens if it has ended. So it is with the other two.</summary>
    public void Kill() => Signal(Libc.SIGKILL);

    /// <summary>Lets it stand still (SIGSTOP).</summary>
    public void Stop() => Signal(Libc.SIGSTOP);

    /// <summary>Asks it to end in good order (SIGTERM).</summary>
    public void Terminate() => Signal(Libc.SIGTERM);

    private void Signal(int number) => _ = Libc.pidfd_send_signal(_descriptor, number);

    public void Dispose()
    {
        if (_descriptor >= 0)
        {
            _ = Libc.close(_descriptor);
            _descriptor = -1;
        }
    }
}
