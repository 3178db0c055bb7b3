using System.Runtime.InteropServices;

namespace L4Balancer.Engine.Linux;

/// <summary>Messages with their addresses: recvmsg(2), sendmsg(2), cmsg(3); and poll(2).</summary>
internal static unsafe partial class Libc
{
    public const int SOCK_DGRAM = 2;
    public const int SO_RCVTIMEO = 20;
    public const short POLLIN = 1;
    public const int IP_PKTINFO = 8; // ip(7)
    public const int IPV6_RECVPKTINFO = 49; // ipv6(7), RFC 3542
    public const int IPV6_PKTINFO = 50;
    public const int MSG_DONTWAIT = 0x40;

    [LibraryImport("libc")]
    public static partial nint recvmsg(int sockfd, MsgHdr* msg, int flags);

    [LibraryImport("libc")]
    public static partial nint sendmsg(int sockfd, MsgHdr* msg, int flags);

    [LibraryImport("libc")]
    public static partial int poll(PollFd* fds, nuint nfds, int timeout);

    /// <summary>struct pollfd (poll(2)).</summary>
    public struct PollFd
    {
        public int fd;
        public short events;
        public short revents;
    }

    /// <summary>struct msghdr of 64-bit Linux.</summary>
    public struct MsgHdr
    {
        public void* msg_name;
        public uint msg_namelen;
        public IoVec* msg_iov;
        public nuint msg_iovlen;
        public void* msg_control;
        public nuint msg_controllen;
        public int msg_flags;
    }

    /// <summary>struct iovec.</summary>
    public struct IoVec
    {
        public void* iov_base;
        public nuint iov_len;
    }

    /// <summary>struct cmsghdr; its data follow, and the whole is aligned to 8 bytes.</summary>
    public struct CMsgHdr
    {
        public nuint cmsg_len;
        public int cmsg_level;
        public int cmsg_type;
    }
}
