using System.Runtime.InteropServices;

namespace L4Balancer.Engine.Linux;

/// <summary>mmap(2), munmap(2).</summary>
internal static unsafe partial class Libc
{
    public const int PROT_READ = 1;
    public const int PROT_WRITE = 2;
    public const int MAP_PRIVATE = 0x02;
    public const int MAP_ANONYMOUS = 0x20;
    public static readonly void* MAP_FAILED = (void*)-1;

    [LibraryImport("libc")]
    public static partial void* mmap(void* addr, nuint length, int prot, int flags, int fd, nint offset);

    [LibraryImport("libc")]
    public static partial int munmap(void* addr, nuint length);
}
