using System.Runtime.InteropServices;

namespace L4Balancer.Engine.Linux;

/// <summary>socket(2), bind(2), listen(2), accept4(2), connect(2), recv(2), send(2), shutdown(2), getsockname(2), setsockopt(2), close(2).</summary>
internal static unsafe partial class Libc
{
    public const int AF_INET = 2;
    public const int AF_INET6 = 10;
    public const int SOCK_STREAM = 1;
    public const int SOCK_NONBLOCK = 0x800;
    public const int SOCK_CLOEXEC = 0x80000;
    public const int IPPROTO_IP = 0;
    public const int IPPROTO_TCP = 6;
    public const int IPPROTO_IPV6 = 41;
    public const int IPV6_V6ONLY = 26;
    public const int IP_FREEBIND = 15;
    public const int IP_BIND_ADDRESS_NO_PORT = 24;
    public const int IP_LOCAL_PORT_RANGE = 51;
    public const int SOL_SOCKET = 1;
    public const int SO_REUSEADDR = 2;
    public const int SO_TYPE = 3;
    public const int SO_ERROR = 4;
    public const int SO_KEEPALIVE = 9;
    public const int SO_OOBINLINE = 10;
    public const int SO_LINGER = 13;
    public const int SO_REUSEPORT = 15;
    public const int SO_ATTACH_FILTER = 26;
    public const int SO_DETACH_FILTER = 27;
    public const int SO_PROTOCOL = 38;
    public const int SO_DOMAIN = 39;
    public const int TCP_NODELAY = 1;
    public const int TCP_KEEPIDLE = 4;
    public const int TCP_KEEPINTVL = 5;
    public const int TCP_KEEPCNT = 6;
    public const int TCP_DEFER_ACCEPT = 9;
    public const int TCP_QUICKACK = 12;
    public const int TCP_CONGESTION = 13;
    public const int TCP_USER_TIMEOUT = 18;
    public const int MSG_PEEK = 0x02;
    public const int MSG_TRUNC = 0x20;
    public const int MSG_NOSIGNAL = 0x4000;
    public const int SHUT_WR = 1;

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

    [LibraryImport("libc")]
    public static partial nint recv(int sockfd, void* buf, nuint len, int flags);

    [LibraryImport("libc")]
    public static partial nint send(int sockfd, void* buf, nuint len, int flags);

    [LibraryImport("libc")]
    public static partial int shutdown(int sockfd, int how);

    [LibraryImport("libc")]
    public static partial int getsockname(int sockfd, void* addr, uint* addrlen);

    [LibraryImport("libc")]
    public static partial int getsockopt(int sockfd, int level, int optname, void* optval, uint* optlen);

    [LibraryImport("libc")]
    public static partial int setsockopt(int sockfd, int level, int optname, void* optval, uint optlen);

    [LibraryImport("libc")]
    public static partial int close(int fd);
}
