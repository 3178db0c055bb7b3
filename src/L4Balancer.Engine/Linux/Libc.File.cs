using System.Runtime.InteropServices;

namespace L4Balancer.Engine.Linux;

/// <summary>statx(2): glibc exports it since 2.28, whereas stat(2) and fstat(2) are exported only since 2.33.</summary>
internal static unsafe partial class Libc
{
    public const int AT_FDCWD = -100;
    public const uint STATX_SIZE = 0x200;

    [LibraryImport("libc")]
    public static partial int statx(int dirfd, byte* pathname, int flags, uint mask, StatX* statxbuf);

    /// <summary>struct statx of linux/stat.h: the same on every architecture. Only the members that are used are named.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 256)]
    public struct StatX
    {
        [FieldOffset(0)]
        public uint stx_mask;

        [FieldOffset(40)]
        public ulong stx_size;
    }
}
