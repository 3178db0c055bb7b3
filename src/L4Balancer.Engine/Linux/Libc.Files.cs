using System.Runtime.InteropServices;

namespace L4Balancer.Engine.Linux;

/// <summary>System calls on files and mappings that several processes see, named as in C.</summary>
internal static unsafe partial class Libc
{
    // open(2). O_NOFOLLOW has a value of its own on arm64 (asm/fcntl.h).
    public const int O_RDONLY = 0;
    public const int O_RDWR = 2;
    public const int O_CREAT = 0x40;
    public const int O_EXCL = 0x80;

    public static int O_NOFOLLOW => RuntimeInformation.ProcessArchitecture is Architecture.Arm64 or Architecture.Arm ? 0x8000 : 0x20000;

    /// <param name="pathname">UTF-8 with a zero byte at its end.</param>
    [LibraryImport("libc")]
    public static partial int open(byte* pathname, int flags, uint mode);

    [LibraryImport("libc")]
    public static partial int ftruncate(int fd, long length);

    /// <returns>0 or the error number itself: errno is not set (posix_fallocate(3)).</returns>
    [LibraryImport("libc")]
    public static partial int posix_fallocate(int fd, long offset, long len);

    [LibraryImport("libc")]
    public static partial int rename(byte* oldpath, byte* newpath);

    [LibraryImport("libc")]
    public static partial int unlink(byte* pathname);

    // mmap(2), statx(2), socket(7).
    public const int MAP_SHARED = 0x01;
    public const int AT_EMPTY_PATH = 0x1000;
    public const int SO_COOKIE = 57;

    [LibraryImport("libc")]
    public static partial uint geteuid();
}
