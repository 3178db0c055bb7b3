using System.Runtime.Versioning;
using System.Text;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Engine.Keeper;

/// <summary>
/// The keeper of this process: a child that shares its table of descriptors, and holds them for a while after it has ended without
/// <see cref="Stop"/>. It waits without using the processor, and is asked by a <see cref="KeeperConnection"/>. Started early, it shares
/// little memory that changes later. One thread at a time.
/// </summary>
[SupportedOSPlatform("linux")]
public sealed unsafe class KeeperProcess
{
    /// <summary>What sockaddr_un takes, without the zero byte at its end.</summary>
    private const int LongestPath = 107;

    private readonly string _path;
    private int _listener;
    private int _daemon;

    private KeeperProcess(int id, string path, int listener, int daemon)
    {
        Id = id;
        _path = path;
        (_listener, _daemon) = (listener, daemon);
    }

    /// <summary>Its process id.</summary>
    public int Id { get; }

    /// <summary>Whether it has ended: nobody will hold the connections. After true a new one may be started.</summary>
    public bool HasEnded { get; private set; }

    /// <param name="path">Of its socket, in a directory of <see cref="KeeperFolder"/>; what is there is replaced.</param>
    /// <param name="timeout">How long it waits for an heir, and for each request of one.</param>
    /// <param name="fault">Why there is none, as text for a log.</param>
    public static KeeperProcess? TryStart(string path, TimeSpan timeout, out string? fault)
    {
        fault = Environment.ProcessId == 1 ? "this is process 1, whose end ends every other process"
            : Encoding.UTF8.GetByteCount(path) > LongestPath ? $"the path of its socket is longer than {LongestPath} bytes: {path}"
            : null;
        if (fault is not null)
        {
            return null;
        }

        SysResult listener = Listen(path);
        SysResult daemon = listener.IsError ? listener : SysResult.From(Libc.pidfd_open(Environment.ProcessId));
        SysResult started = daemon.IsError ? daemon : Start(listener.Value, daemon.Value, timeout, ref fault);
        if (!started.IsError)
        {
            return new KeeperProcess(started.Value, path, listener.Value, daemon.Value);
        }

        fault ??= $"{path}: {started.Errno}";
        Close(listener);
        Close(daemon);
        SharedFile.Remove(path);
        return null;
    }

    /// <summary>Looks whether it has ended by itself: nothing else says so, as it sends no signal.</summary>
    public bool CheckEnded()
    {
        HasEnded = HasEnded || ChildProcess.HasEnded(Id);
        return HasEnded;
    }

    /// <summary>
    /// Ends it: for a stop in good order, or before another one is started. From then on the kernel closes what this process leaves open.
    /// </summary>
    public void Stop()
    {
        if (!CheckEnded())
        {
            ChildProcess.End(Id);
            HasEnded = true;
        }

        if (_listener >= 0)
        {
            _ = Libc.close(_listener);
            _ = Libc.close(_daemon);
            (_listener, _daemon) = (-1, -1);
            SharedFile.Remove(_path);
        }
    }

    private static SysResult Start(int listener, int daemon, TimeSpan timeout, ref string? fault)
    {
        Span<Libc.MemoryRange> ranges = stackalloc Libc.MemoryRange[OwnMemory.MostRanges];
        ranges = ranges[..OwnMemory.LargestPrivate(ranges)];
        fixed (Libc.MemoryRange* first = ranges)
        {
            return Start(listener, daemon, timeout, first, ranges.Length, ref fault);
        }
    }

    private static SysResult Start(
        int listener, int daemon, TimeSpan timeout, Libc.MemoryRange* ranges, int count, ref string? fault)
    {
        var settings = new Libc.KeeperSettings
        {
            Ranges = ranges,
            RangeCount = (nuint)count,
            Listener = listener,
            Daemon = daemon,
            TimeoutMilliseconds = (int)Math.Clamp(timeout.TotalMilliseconds, 1, int.MaxValue),
            User = Libc.geteuid(),
        };
        try
        {
            int id = Libc.l4b_keeper_start(&settings);
            return id > 0 ? SysResult.Of(id) : SysResult.Error((Errno)(-id));
        }
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException)
        {
            fault = "this build does not have it: only the native one, made with a C compiler on x86-64 or arm64";
            return SysResult.Error(Errno.ENOSYS);
        }
    }

    private static SysResult Listen(string path)
    {
        const int backlog = 8;
        SharedFile.Remove(path);
        SysResult opened = PacketSocket.Open();
        if (opened.IsError)
        {
            return opened;
        }

        SysResult socket = PacketSocket.MoveUp(opened.Value);
        if (socket.IsError)
        {
            return socket;
        }

        SysResult result = UnixSocket.Bind(socket.Value, path);
        if (!result.IsError)
        {
            result = IsOwnerOnly(path) ? TcpSocket.Listen(socket.Value, backlog) : SysResult.Error(Errno.EACCES);
        }

        if (result.IsError)
        {
            _ = Libc.close(socket.Value);
            return result;
        }

        return socket;
    }

    private static bool IsOwnerOnly(string path)
    {
        try
        {
            File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The directory changes under it.
            return false;
        }
    }

    private static void Close(SysResult descriptor)
    {
        if (!descriptor.IsError)
        {
            _ = Libc.close(descriptor.Value);
        }
    }
}
