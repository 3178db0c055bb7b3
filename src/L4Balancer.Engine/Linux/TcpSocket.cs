using System.Runtime.CompilerServices;
using L4Balancer.Core.Addressing;

namespace L4Balancer.Engine.Linux;

/// <summary>
/// TCP and UNIX stream sockets by descriptor: each call returns a value or an errno, retries on EINTR, and never raises SIGPIPE. All are non-blocking.
/// </summary>
internal static unsafe class TcpSocket
{
    private const int NewSocketFlags = Libc.SOCK_NONBLOCK | Libc.SOCK_CLOEXEC;

    public static SysResult Open(HostAddress family) => Open(family.IsV4 ? Libc.AF_INET : Libc.AF_INET6, Libc.IPPROTO_TCP);

    /// <summary>A socket of the endpoint's family.</summary>
    public static SysResult Open(Endpoint endpoint) => endpoint.IsUnix ? Open(Libc.AF_UNIX, protocol: 0) : Open(endpoint.Address);

    /// <summary>
    /// A socket for Multipath TCP (Linux 5.6). EPROTONOSUPPORT or EINVAL: the kernel lacks it; ENOPROTOOPT: net.mptcp.enabled is 0.
    /// </summary>
    public static SysResult OpenMultipath(HostAddress family) => Open(family.IsV4 ? Libc.AF_INET : Libc.AF_INET6, Libc.IPPROTO_MPTCP);

    private static SysResult Open(int family, int protocol)
    {
        Errno fault = Fault(SystemCall.Socket, -1);
        return fault != Errno.None
            ? SysResult.Error(fault)
            : SysResult.From(Libc.socket(family, Libc.SOCK_STREAM | NewSocketFlags, protocol));
    }

    public static SysResult Bind(int socket, Endpoint endpoint)
    {
        if (endpoint.IsUnix)
        {
            return UnixSocket.Bind(socket, endpoint.UnixPath);
        }

        uint length = SocketAddress.Write(endpoint, out SocketAddress address);
        return SysResult.From(Libc.bind(socket, &address, length));
    }

    public static SysResult Listen(int socket, int backlog) => SysResult.From(Libc.listen(socket, backlog));

    /// <param name="peer">The client's address; valid only if there is no error.</param>
    public static SysResult Accept(int socket, out Endpoint peer)
    {
        peer = default;
        Errno fault = Fault(SystemCall.Accept, socket);
        if (fault != Errno.None)
        {
            return SysResult.Error(fault);
        }

        SocketAddress address = default;
        SysResult accepted;
        do
        {
            uint length = SocketAddress.Capacity;
            accepted = SysResult.From(Libc.accept4(socket, &address, &length, NewSocketFlags));
        }
        while (accepted.Errno == Errno.EINTR);
        if (!accepted.IsError)
        {
            peer = SocketAddress.Read(ref address);
        }

        return accepted;
    }

    /// <summary>
    /// EINPROGRESS is the usual result. EINTR means the same: the connect continues (connect(2)). A connect to a UNIX socket is never in
    /// progress.
    /// </summary>
    public static SysResult Connect(int socket, Endpoint target)
    {
        Errno fault = Fault(SystemCall.Connect, socket);
        if (fault != Errno.None)
        {
            return SysResult.Error(fault);
        }

        if (target.IsUnix)
        {
            return UnixSocket.Connect(socket, target.UnixPath);
        }

        uint length = SocketAddress.Write(target, out SocketAddress address);
        SysResult connected = SysResult.From(Libc.connect(socket, &address, length));
        return connected.Errno == Errno.EINTR ? SysResult.Error(Errno.EINPROGRESS) : connected;
    }

    public static SysResult Receive(int socket, byte* buffer, int length, int flags = 0)
    {
        Errno fault = Fault(SystemCall.Recv, socket);
        if (fault != Errno.None)
        {
            return SysResult.Error(fault);
        }

        SysResult received;
        do
        {
            received = SysResult.From(Libc.recv(socket, buffer, (nuint)length, flags));
        }
        while (received.Errno == Errno.EINTR);
        return received;
    }

    public static SysResult Send(int socket, byte* buffer, int length)
    {
        Errno fault = Fault(SystemCall.Send, socket);
        if (fault != Errno.None)
        {
            return SysResult.Error(fault);
        }

        SysResult sent;
        do
        {
            sent = SysResult.From(Libc.send(socket, buffer, (nuint)length, Libc.MSG_NOSIGNAL));
        }
        while (sent.Errno == Errno.EINTR);
        return sent;
    }

    /// <summary>Sends FIN; the peer may still send.</summary>
    public static SysResult ShutdownWrite(int socket) => SysResult.From(Libc.shutdown(socket, Libc.SHUT_WR));

    /// <summary>The local address; zero if the socket has none. The path of a UNIX socket is not read.</summary>
    public static Endpoint LocalEndpoint(int socket)
    {
        SocketAddress address = default;
        uint length = SocketAddress.Capacity;
        return Libc.getsockname(socket, &address, &length) == 0 ? SocketAddress.Read(ref address) : default;
    }

    /// <summary>The address of the peer; null if the socket is not connected (any more). The path of a UNIX socket is not read.</summary>
    public static Endpoint? PeerEndpoint(int socket)
    {
        SocketAddress address = default;
        uint length = SocketAddress.Capacity;
        return Libc.getpeername(socket, &address, &length) == 0 ? SocketAddress.Read(ref address) : null;
    }

    /// <summary>Reads and thereby clears the pending error of a socket (socket(7), SO_ERROR).</summary>
    public static Errno TakeError(int socket)
    {
        int error = 0;
        uint length = sizeof(int);
        return Libc.getsockopt(socket, Libc.SOL_SOCKET, Libc.SO_ERROR, &error, &length) == 0 ? (Errno)error : Errno.EBADF;
    }

    public static SysResult SetOption(int socket, int level, int option, int value) =>
        SysResult.From(Libc.setsockopt(socket, level, option, &value, sizeof(int)));

    /// <summary>The value of a numeric option; EBADF and ENOTSOCK are possible errors.</summary>
    public static SysResult Option(int socket, int level, int option)
    {
        int value = 0;
        uint length = sizeof(int);
        SysResult result = SysResult.From(Libc.getsockopt(socket, level, option, &value, &length));
        return result.IsError ? result : SysResult.From(value);
    }

    /// <summary>Configures a descriptor from another process like one opened here: non-blocking, and closed at exec(3).</summary>
    public static void MakeOurs(int socket)
    {
        _ = Libc.fcntl(socket, Libc.F_SETFD, Libc.FD_CLOEXEC);
        _ = Libc.fcntl(socket, Libc.F_SETFL, Libc.fcntl(socket, Libc.F_GETFL, 0) | Libc.O_NONBLOCK);
    }

    /// <summary>
    /// Bytes sent that the peer's kernel has not acknowledged (tcp(7), SIOCOUTQ); 0 if the connection no longer exists. After a reset the
    /// queue still has what was in it, so a queue that is not empty counts only while the socket is not in state CLOSE. For a UNIX socket the
    /// memory of what the peer has not read.
    /// </summary>
    public static int Unacknowledged(int socket)
    {
        int value = 0;
        return Libc.ioctl(socket, Libc.SIOCOUTQ, &value) == 0 && value > 0 && !IsClosed(socket) ? value : 0;
    }

    /// <summary>Bytes received that have not been read (tcp(7), SIOCINQ); 0 if the connection no longer exists.</summary>
    public static int Unread(int socket)
    {
        int value = 0;
        return Libc.ioctl(socket, Libc.SIOCINQ, &value) == 0 ? value : 0;
    }

    /// <summary>
    /// Whether the connection no longer exists: TCP_INFO (tcp(7), Linux 2.4), whose first byte is the state. A socket that has no such option
    /// (unix(7)) is not known to be closed.
    /// </summary>
    public static bool IsClosed(int socket)
    {
        byte state = 0;
        uint length = sizeof(byte);
        return Libc.getsockopt(socket, Libc.IPPROTO_TCP, Libc.TCP_INFO, &state, &length) == 0 && state == Libc.TCP_CLOSE;
    }

    /// <summary>close(2) is never retried: on Linux the descriptor is closed whatever the result.</summary>
    public static void Close(int socket) => _ = Libc.close(socket);

    /// <summary>Closes with a linger time of zero, so that the peer gets a reset (socket(7), SO_LINGER).</summary>
    public static void Reset(int socket)
    {
        (int OnOff, int Seconds) linger = (1, 0);
        _ = Libc.setsockopt(socket, Libc.SOL_SOCKET, Libc.SO_LINGER, &linger, 2 * sizeof(int));
        _ = Libc.close(socket);
    }

    /// <summary>
    /// Resets a TCP connection at once, even if another process has the socket as well, which a close does not (connect(2) to AF_UNSPEC). A connect in
    /// progress is given up. Not for a socket that listens: its queue would be lost. The descriptor stays open.
    /// </summary>
    public static SysResult Abort(int socket)
    {
        SocketAddress unspecified = default;
        return SysResult.From(Libc.connect(socket, &unspecified, SocketAddress.ShortestLength));
    }

    /// <summary>Ends both directions, also where another process has the socket (shutdown(2)).</summary>
    public static SysResult ShutdownBoth(int socket) => SysResult.From(Libc.shutdown(socket, Libc.SHUT_RDWR));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Errno Fault(SystemCall call, int descriptor) => SystemFault.Installed?.Before(call, descriptor) ?? Errno.None;
}
