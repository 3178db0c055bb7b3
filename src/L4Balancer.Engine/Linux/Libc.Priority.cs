using System.Runtime.InteropServices;

namespace L4Balancer.Engine.Linux;

/// <summary>getpriority(2), setpriority(2).</summary>
internal static partial class Libc
{
    public const int PRIO_PROCESS = 0;

    [LibraryImport("libc")]
    public static partial int getpriority(int which, int who);

    [LibraryImport("libc")]
    public static partial int setpriority(int which, int who, int prio);
}
