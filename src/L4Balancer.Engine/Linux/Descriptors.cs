using System.Runtime.InteropServices;
using System.Runtime.Versioning;

namespace L4Balancer.Engine.Linux;

/// <summary>What can be said of any descriptor.</summary>
[SupportedOSPlatform("linux")]
public static class Descriptors
{
    private const int F_SETFD = 2;
    private const int FD_CLOEXEC = 1;

    /// <summary>The programs that this process starts do not get it (fcntl(2), F_SETFD).</summary>
    /// <returns>0, or an errno: EBADF where it is not open.</returns>
    public static int CloseOnExec(int descriptor) =>
        Libc.fcntl(descriptor, F_SETFD, FD_CLOEXEC) < 0 ? Marshal.GetLastSystemError() : 0;
}
