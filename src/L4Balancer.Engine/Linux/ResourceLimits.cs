using System.Runtime.InteropServices;
using System.Runtime.Versioning;

namespace L4Balancer.Engine.Linux;

/// <summary>getrlimit(2) and setrlimit(2), for the number of open descriptors.</summary>
[SupportedOSPlatform("linux")]
public static partial class ResourceLimits
{
    // <asm-generic/resource.h>; the same on x86-64 and arm64.
    private const int RLIMIT_NOFILE = 7;

    /// <summary>Raises the soft limit of open descriptors to the hard one.</summary>
    /// <param name="limit">The soft limit in force afterwards, even if raising it failed; 0 if it cannot be read.</param>
    /// <returns>0, or the errno of the failed call.</returns>
    public static int RaiseDescriptorLimit(out long limit)
    {
        limit = 0;
        if (getrlimit(RLIMIT_NOFILE, out RLimit current) != 0)
        {
            return Marshal.GetLastSystemError();
        }

        RLimit wanted = current with { rlim_cur = current.rlim_max };
        int errno = wanted.rlim_cur == current.rlim_cur || setrlimit(RLIMIT_NOFILE, in wanted) == 0 ? 0 : Marshal.GetLastSystemError();

        // RLIM_INFINITY is all ones.
        limit = (long)Math.Min(errno == 0 ? wanted.rlim_cur : current.rlim_cur, long.MaxValue);
        return errno;
    }

    /// <summary>The soft limit in force; 0 if it cannot be read.</summary>
    public static long DescriptorLimit() =>
        getrlimit(RLIMIT_NOFILE, out RLimit current) == 0 ? (long)Math.Min(current.rlim_cur, long.MaxValue) : 0;

    [LibraryImport("libc")]
    private static partial int getrlimit(int resource, out RLimit rlim);

    [LibraryImport("libc")]
    private static partial int setrlimit(int resource, in RLimit rlim);

    /// <summary>struct rlimit; rlim_t is 64 bits wide on every 64-bit Linux.</summary>
    private struct RLimit
    {
        public ulong rlim_cur;
        public ulong rlim_max;
    }
}
