using System.IO.Enumeration;
using System.Runtime.InteropServices;
using System.Runtime.Versioning;

namespace L4Balancer.Engine.Linux;

/// <summary>Operations on any kind of descriptor.</summary>
[SupportedOSPlatform("linux")]
public static class Descriptors
{
    private const string Folder = "/proc/self/fd";

    // By default the framework asks for the attributes of each entry, and leaves some out.
    private static readonly EnumerationOptions Every = new() { AttributesToSkip = 0 };

    /// <summary>Prevents programs that this process starts from inheriting the descriptor (fcntl(2), F_SETFD).</summary>
    /// <returns>0, or an errno: EBADF if it is not open.</returns>
    public static int CloseOnExec(int descriptor) =>
        Libc.fcntl(descriptor, Libc.F_SETFD, Libc.FD_CLOEXEC) < 0 ? Marshal.GetLastSystemError() : 0;

    /// <summary>
    /// Whether the descriptor is a socket that came with execve(2). What this process opens itself, its runtime included, has FD_CLOEXEC set;
    /// what has passed execve cannot have had it.
    /// </summary>
    public static bool IsInheritedSocket(int descriptor)
    {
        int flags = Libc.fcntl(descriptor, Libc.F_GETFD, 0);
        return flags >= 0 && (flags & Libc.FD_CLOEXEC) == 0 && !TcpSocket.Option(descriptor, Libc.SOL_SOCKET, Libc.SO_TYPE).IsError;
    }

    /// <summary>SO_COOKIE of a socket (socket(7)): the same for every descriptor of it in any process, and of no other; 0 if it is none.</summary>
    public static ulong CookieOf(int socket) => SocketCookie.Of(socket);

    /// <summary>
    /// The number of descriptors that this process has open. Since Linux 6.2 the kernel reports it as the size of /proc/self/fd, in
    /// microseconds; before that every entry is read, which takes about 10 µs for each (77 ms for 8,000). The kernel's number includes those that
    /// a call in progress has reserved. Any thread.
    /// </summary>
    /// <exception cref="IOException">The kernel does not report the size, and /proc cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">As above.</exception>
    public static long CountOpen() => Reported() is > 0 and long reported ? reported : CountEntries();

    /// <summary>The size of /proc/self/fd in bytes, which is the number of open descriptors; 0 if the kernel does not report it.</summary>
    internal static unsafe long Reported()
    {
        Libc.StatX folder = default;
        fixed (byte* path = "/proc/self/fd"u8)
        {
            return Libc.statx(Libc.AT_FDCWD, path, 0, Libc.STATX_SIZE, &folder) == 0 ? (long)folder.stx_size : 0;
        }
    }

    // Names are not read: that would allocate a string for each. The directory's own descriptor is not counted.
    internal static long CountEntries() => new FileSystemEnumerable<byte>(Folder, static (ref FileSystemEntry _) => 0, Every).LongCount() - 1;
}
