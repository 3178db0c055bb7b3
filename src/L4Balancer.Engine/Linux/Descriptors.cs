using System.Runtime.InteropServices;
using System.Runtime.Versioning;

namespace L4Balancer.Engine.Linux;

/// <summary>What can be said of any descriptor.</summary>
[SupportedOSPlatform("linux")]
public static class Descriptors
{
    /// <summary>The programs that this process starts do not get it (fcntl(2), F_SETFD).</summary>
    /// <returns>0, or an errno: EBADF where it is not open.</returns>
    public static int CloseOnExec(int descriptor) =>
        Libc.fcntl(descriptor, Libc.F_SETFD, Libc.FD_CLOEXEC) < 0 ? Marshal.GetLastSystemError() : 0;
}
