using System.Runtime.InteropServices;

namespace L4Balancer.Engine.Linux;

/// <summary>
/// System calls that pass descriptors between processes and watch over processes, named as in C; and the keeper's own function.
/// </summary>
internal static unsafe partial class Libc
{
    // socket(7), unix(7), cmsg(3).
    public const int SOCK_SEQPACKET = 5;
    public const int SO_SNDTIMEO = 21;
    public const int SCM_RIGHTS = 1;
    public const int MSG_CTRUNC = 0x08;
    public const int MSG_CMSG_CLOEXEC = 0x40000000;
    public const int F_DUPFD_CLOEXEC = 1030;

    // statx(2), fcntl(2).
    public const int AT_SYMLINK_NOFOLLOW = 0x100;

    // waitpid(2), kill(2), signal(7): asm-generic/signal.h, the same on x86-64 and arm64.
    public const int WNOHANG = 1;
    public const int WALL = 0x40000000; // __WALL in C
    public const int SIGKILL = 9;
    public const int SIGTERM = 15;
    public const int SIGCONT = 18;
    public const int SIGSTOP = 19;

    // flock(2), unshare(2).
    public const int LOCK_EX = 2;
    public const int LOCK_NB = 4;
    public const int CLONE_FILES = 0x400;

    private const int SysPidfdOpen = 434; // the same on every architecture

    [LibraryImport("libc")]
    public static partial int flock(int fd, int operation);

    [LibraryImport("libc")]
    public static partial int unshare(int flags);

    [LibraryImport("libc")]
    public static partial int kill(int pid, int sig);

    [LibraryImport("libc")]
    public static partial int waitpid(int pid, int* wstatus, int options);

    /// <summary>pidfd_open(2), Linux 5.3.</summary>
    public static int pidfd_open(int pid) => (int)syscall(SysPidfdOpen, pid, 0, 0, 0, 0, 0);

    /// <summary>
    /// Keeper/keeper.c, linked into the native executable. In a build without it the call throws DllNotFoundException.
    /// </summary>
    [LibraryImport("l4b_keeper")]
    public static partial int l4b_keeper_start(KeeperSettings* settings);

    /// <summary>struct settings of keeper.c.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct KeeperSettings
    {
        public int Listener;
        public int Daemon;
        public int TimeoutMilliseconds;
        public uint User;

        /// <summary>Memory that the keeper gives back; the array is on the stack of the caller.</summary>
        public MemoryRange* Ranges;
        public nuint RangeCount;
    }

    /// <summary>struct range of keeper.c: the addresses from one up to another.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public record struct MemoryRange(nuint Start, nuint End)
    {
        public readonly nuint Length => End - Start;
    }
}
