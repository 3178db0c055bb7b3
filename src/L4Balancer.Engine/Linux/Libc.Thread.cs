using System.Runtime.InteropServices;

namespace L4Balancer.Engine.Linux;

/// <summary>syscall(2) without arguments, clock_gettime(2).</summary>
internal static unsafe partial class Libc
{
    [LibraryImport("libc")]
    public static partial nint syscall(nint number);

    /// <param name="tp">struct timespec: seconds and nanoseconds, 64 bits each.</param>
    [LibraryImport("libc")]
    public static partial int clock_gettime(int clockid, void* tp);
}
