using System.Runtime.InteropServices;

namespace L4Balancer.Engine.Linux;

/// <summary>System calls of two processes that talk over a pair of sockets and watch over each other, named as in C.</summary>
internal static unsafe partial class Libc
{
    // poll(2), recvmsg(2), socket(7).
    public const short POLLOUT = 0x004;
    public const int SO_PEERCRED = 17;

    private const int SysPidfdSendSignal = 424; // the same on every architecture

    [LibraryImport("libc")]
    public static partial int socketpair(int domain, int type, int protocol, int* sv);

    /// <summary>pidfd_send_signal(2), Linux 5.1.</summary>
    public static int pidfd_send_signal(int pidfd, int sig) => (int)syscall(SysPidfdSendSignal, pidfd, sig, 0, 0, 0, 0);
}
