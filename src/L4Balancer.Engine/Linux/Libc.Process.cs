using System.Runtime.InteropServices;

namespace L4Balancer.Engine.Linux;

/// <summary>System calls on files, memory and threads of this process, named as in C.</summary>
internal static unsafe partial class Libc
{
    // statx(2): glibc exports it since 2.28, whereas stat(2) and fstat(2) are exported only since 2.33.
    public const int AT_FDCWD = -100;
    public const uint STATX_SIZE = 0x200;
    public const uint STATX_BASIC_STATS = 0x7FF;

    [LibraryImport("libc")]
    public static partial int statx(int dirfd, byte* pathname, int flags, uint mask, StatX* statxbuf);

    /// <summary>struct statx of linux/stat.h: the same on every architecture. Only the members that are used are named.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 256)]
    public struct StatX
    {
        [FieldOffset(0)]
        public uint stx_mask;

        [FieldOffset(20)]
        public uint stx_uid;

        [FieldOffset(24)]
        public uint stx_gid;

        [FieldOffset(28)]
        public ushort stx_mode;

        [FieldOffset(32)]
        public ulong stx_ino;

        [FieldOffset(40)]
        public ulong stx_size;

        // struct statx_timestamp: seconds in 64 bits, nanoseconds in 32, 16 bytes in all.
        [FieldOffset(96)]
        public long stx_ctime_sec;

        [FieldOffset(104)]
        public uint stx_ctime_nsec;

        [FieldOffset(112)]
        public long stx_mtime_sec;

        [FieldOffset(120)]
        public uint stx_mtime_nsec;

        [FieldOffset(136)]
        public uint stx_dev_major;

        [FieldOffset(140)]
        public uint stx_dev_minor;
    }

    // mmap(2), munmap(2).
    public const int PROT_READ = 1;
    public const int PROT_WRITE = 2;
    public const int MAP_PRIVATE = 0x02;
    public const int MAP_ANONYMOUS = 0x20;
    public static readonly void* MAP_FAILED = (void*)-1;

    [LibraryImport("libc")]
    public static partial void* mmap(void* addr, nuint length, int prot, int flags, int fd, nint offset);

    [LibraryImport("libc")]
    public static partial int munmap(void* addr, nuint length);

    // getpriority(2), setpriority(2).
    public const int PRIO_PROCESS = 0;

    [LibraryImport("libc")]
    public static partial int getpriority(int which, int who);

    [LibraryImport("libc")]
    public static partial int setpriority(int which, int who, int prio);

    // syscall(2) without arguments, clock_gettime(2).
    [LibraryImport("libc")]
    public static partial nint syscall(nint number);

    /// <param name="tp">struct timespec: seconds and nanoseconds, 64 bits each.</param>
    [LibraryImport("libc")]
    public static partial int clock_gettime(int clockid, void* tp);
}
