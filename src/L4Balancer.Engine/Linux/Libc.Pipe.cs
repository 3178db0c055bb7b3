using System.Runtime.InteropServices;

namespace L4Balancer.Engine.Linux;

/// <summary>pipe2(2), splice(2), fcntl(2), eventfd(2), read(2), write(2), ioctl(2) SIOCINQ and SIOCOUTQ.</summary>
internal static unsafe partial class Libc
{
    public const int O_NONBLOCK = 0x800;
    public const int O_CLOEXEC = 0x80000;
    public const int F_SETFD = 2;
    public const int F_GETFL = 3;
    public const int F_SETFL = 4;
    public const int FD_CLOEXEC = 1;
    public const int F_SETPIPE_SZ = 1031;
    public const int F_GETPIPE_SZ = 1032;
    public const int SPLICE_F_MOVE = 1;
    public const int SPLICE_F_NONBLOCK = 2;
    public const int EFD_NONBLOCK = 0x800;
    public const int EFD_CLOEXEC = 0x80000;
    public const nuint SIOCINQ = 0x541B;
    public const nuint SIOCOUTQ = 0x5411;

    [LibraryImport("libc")]
    public static partial int pipe2(int* pipefd, int flags);

    [LibraryImport("libc")]
    public static partial nint splice(int fd_in, long* off_in, int fd_out, long* off_out, nuint len, uint flags);

    [LibraryImport("libc")]
    public static partial int fcntl(int fd, int cmd, int arg);

    [LibraryImport("libc")]
    public static partial int eventfd(uint initval, int flags);

    [LibraryImport("libc")]
    public static partial nint read(int fd, void* buf, nuint count);

    [LibraryImport("libc")]
    public static partial nint write(int fd, void* buf, nuint count);

    [LibraryImport("libc")]
    public static partial int ioctl(int fd, nuint request, int* value);
}
