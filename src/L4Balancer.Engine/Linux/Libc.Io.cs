using System.Runtime.InteropServices;

namespace L4Balancer.Engine.Linux;

/// <summary>System calls on sockets, pipes and epoll instances, named as in C. Constants have the values of Linux.</summary>
internal static unsafe partial class Libc
{
    // syscalls(2): the numbers of x86-64, and those of asm-generic/unistd.h. Elsewhere the functions of the C library are called.
    private static bool IsX64 => RuntimeInformation.ProcessArchitecture == Architecture.X64;

    private static bool IsGeneric => RuntimeInformation.ProcessArchitecture is Architecture.Arm64 or Architecture.RiscV64 or Architecture.LoongArch64;

    // socket(2), bind(2), listen(2), accept4(2), connect(2), recv(2), send(2), shutdown(2), getsockname(2), setsockopt(2), close(2).
    public const int AF_UNIX = 1;
    public const int AF_INET = 2;
    public const int AF_INET6 = 10;
    public const int SOCK_STREAM = 1;
    public const int SOCK_NONBLOCK = 0x800;
    public const int SOCK_CLOEXEC = 0x80000;
    public const int IPPROTO_IP = 0;
    public const int IPPROTO_TCP = 6;
    public const int IPPROTO_IPV6 = 41;
    public const int IPPROTO_MPTCP = 262;
    public const int IPV6_V6ONLY = 26;
    public const int IPV6_TRANSPARENT = 75;
    public const int IP_FREEBIND = 15;
    public const int IP_TRANSPARENT = 19;
    public const int IP_BIND_ADDRESS_NO_PORT = 24;
    public const int IP_LOCAL_PORT_RANGE = 51;
    public const int SOL_SOCKET = 1;
    public const int SO_REUSEADDR = 2;
    public const int SO_TYPE = 3;
    public const int SO_ERROR = 4;
    public const int SO_SNDBUF = 7;
    public const int SO_RCVBUF = 8;
    public const int SO_KEEPALIVE = 9;
    public const int SO_OOBINLINE = 10;
    public const int SO_LINGER = 13;
    public const int SO_REUSEPORT = 15;
    public const int SO_RCVLOWAT = 18;
    public const int SO_ATTACH_FILTER = 26;
    public const int SO_DETACH_FILTER = 27;
    public const int SO_PROTOCOL = 38;
    public const int SO_ACCEPTCONN = 30;
    public const int SO_DOMAIN = 39;
    public const int SO_BUF_LOCK = 72;
    public const int SOCK_SNDBUF_LOCK = 1;
    public const int SOCK_RCVBUF_LOCK = 2;
    public const int TCP_NODELAY = 1;
    public const int TCP_KEEPIDLE = 4;
    public const int TCP_KEEPINTVL = 5;
    public const int TCP_KEEPCNT = 6;
    public const int TCP_DEFER_ACCEPT = 9;
    public const int TCP_INFO = 11;
    public const int TCP_QUICKACK = 12;
    public const int TCP_CONGESTION = 13;
    public const int TCP_USER_TIMEOUT = 18;
    public const int TCP_NOTSENT_LOWAT = 25;
    public const int TCP_CLOSE = 7;
    public const int MSG_PEEK = 0x02;
    public const int MSG_TRUNC = 0x20;
    public const int MSG_NOSIGNAL = 0x4000;
    public const int SHUT_WR = 1;
    public const int SHUT_RDWR = 2;

    [LibraryImport("libc")]
    public static partial int socket(int domain, int type, int protocol);

    [LibraryImport("libc")]
    public static partial int bind(int sockfd, void* addr, uint addrlen);

    [LibraryImport("libc")]
    public static partial int listen(int sockfd, int backlog);

    [LibraryImport("libc")]
    public static partial int accept4(int sockfd, void* addr, uint* addrlen, int flags);

    [LibraryImport("libc")]
    public static partial int connect(int sockfd, void* addr, uint addrlen);

    /// <summary>
    /// recv(2) as the system call. The function of the C library is a cancellation point (pthreads(7)): in a process with threads it pays two atomic
    /// operations so that pthread_cancel(3), which is not used here, could end the thread.
    /// </summary>
    public static nint recv(int sockfd, void* buf, nuint len, int flags) =>
        IsX64 || IsGeneric ? syscall(IsX64 ? 45 : 207, sockfd, (nint)buf, (nint)len, flags, 0, 0) : LibraryRecv(sockfd, buf, len, flags);

    /// <summary>send(2) as the system call, for the same reason.</summary>
    public static nint send(int sockfd, void* buf, nuint len, int flags) =>
        IsX64 || IsGeneric ? syscall(IsX64 ? 44 : 206, sockfd, (nint)buf, (nint)len, flags, 0, 0) : LibrarySend(sockfd, buf, len, flags);

    [LibraryImport("libc", EntryPoint = "recv")]
    private static partial nint LibraryRecv(int sockfd, void* buf, nuint len, int flags);

    [LibraryImport("libc", EntryPoint = "send")]
    private static partial nint LibrarySend(int sockfd, void* buf, nuint len, int flags);

    [LibraryImport("libc")]
    private static partial nint syscall(nint number, nint arg1, nint arg2, nint arg3, nint arg4, nint arg5, nint arg6);

    [LibraryImport("libc")]
    public static partial int shutdown(int sockfd, int how);

    [LibraryImport("libc")]
    public static partial int getsockname(int sockfd, void* addr, uint* addrlen);

    [LibraryImport("libc")]
    public static partial int getpeername(int sockfd, void* addr, uint* addrlen);

    [LibraryImport("libc")]
    public static partial int getsockopt(int sockfd, int level, int optname, void* optval, uint* optlen);

    [LibraryImport("libc")]
    public static partial int setsockopt(int sockfd, int level, int optname, void* optval, uint optlen);

    [LibraryImport("libc")]
    public static partial int close(int fd);

    // pipe2(2), splice(2), fcntl(2), eventfd(2), read(2), write(2), ioctl(2) SIOCINQ and SIOCOUTQ.
    public const int O_NONBLOCK = 0x800;
    public const int O_CLOEXEC = 0x80000;
    public const int F_GETFD = 1;
    public const int F_SETFD = 2;
    public const int F_GETFL = 3;
    public const int F_SETFL = 4;
    public const int FD_CLOEXEC = 1;
    public const int F_SETPIPE_SZ = 1031;
    public const int F_GETPIPE_SZ = 1032;
    public const int SPLICE_F_MOVE = 1;
    public const int SPLICE_F_NONBLOCK = 2;
    public const int EFD_NONBLOCK = 0x800;
    public const int EFD_CLOEXEC = 0x80000;
    public const nuint SIOCINQ = 0x541B;
    public const nuint SIOCOUTQ = 0x5411;

    [LibraryImport("libc")]
    public static partial int pipe2(int* pipefd, int flags);

    [LibraryImport("libc")]
    public static partial nint splice(int fd_in, long* off_in, int fd_out, long* off_out, nuint len, uint flags);

    [LibraryImport("libc")]
    public static partial int fcntl(int fd, int cmd, int arg);

    [LibraryImport("libc")]
    public static partial int eventfd(uint initval, int flags);

    [LibraryImport("libc")]
    public static partial nint read(int fd, void* buf, nuint count);

    [LibraryImport("libc")]
    public static partial nint write(int fd, void* buf, nuint count);

    [LibraryImport("libc")]
    public static partial int ioctl(int fd, nuint request, int* value);

    // epoll(7): epoll_create1(2), epoll_ctl(2), epoll_wait(2).
    public const int EPOLL_CLOEXEC = 0x80000;
    public const int EPOLL_CTL_ADD = 1;
    public const int EPOLL_CTL_DEL = 2;
    public const int EPOLL_CTL_MOD = 3;
    public const uint EPOLLIN = 0x001;
    public const uint EPOLLPRI = 0x002;
    public const uint EPOLLOUT = 0x004;
    public const uint EPOLLERR = 0x008;
    public const uint EPOLLHUP = 0x010;
    public const uint EPOLLRDHUP = 0x2000;
    public const uint EPOLLEXCLUSIVE = 1u << 28;
    public const uint EPOLLET = 1u << 31;

    [LibraryImport("libc")]
    public static partial int epoll_create1(int flags);

    [LibraryImport("libc")]
    public static partial int epoll_ctl(int epfd, int op, int fd, void* ev);

    [LibraryImport("libc")]
    public static partial int epoll_wait(int epfd, void* events, int maxevents, int timeout);
}
