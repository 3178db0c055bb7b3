using System.Runtime.InteropServices;
using System.Runtime.Versioning;

namespace L4Balancer.Engine.Linux;

/// <summary>Operations on any kind of descriptor.</summary>
[SupportedOSPlatform("linux")]
public static class Descriptors
{
    /// <summary>Prevents programs that this process starts from inheriting the descriptor (fcntl(2), F_SETFD).</summary>
    /// <returns>0, or an errno: EBADF if it is not open.</returns>
    public static int CloseOnExec(int descriptor) =>
        Libc.fcntl(descriptor, Libc.F_SETFD, Libc.FD_CLOEXEC) < 0 ? Marshal.GetLastSystemError() : 0;
}
