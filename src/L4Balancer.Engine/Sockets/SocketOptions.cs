using System.Net.Sockets;
using L4Balancer.Core.Config;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Engine.Sockets;

/// <summary>
/// The options of every relayed socket: set by descriptor on Linux, for both engines alike, and elsewhere as far as the framework
/// supports them. An option that the platform lacks is skipped: it tunes a connection but is not required.
/// </summary>
internal static class SocketOptions
{
    /// <summary>tcp(7): the maxima that Linux accepts (MAX_TCP_KEEPIDLE, MAX_TCP_KEEPINTVL, MAX_TCP_KEEPCNT); EINVAL beyond them.</summary>
    private const int LongestKeepalive = 32_767;
    private const int MostKeepalives = 127;

    /// <summary>
    /// TCP_NOTSENT_LOWAT (tcp(7), Linux 3.12): no more is taken for a peer while this many bytes have not been sent. What has been sent fits
    /// the peer's window, so a peer that does not read costs about this much, instead of a send queue that has grown to megabytes (tcp_wmem).
    /// Less makes more and smaller writes: in a bulk transfer over loopback 128 KiB took 40% more CPU time per GiB than no limit, this size about
    /// 15%. So the event loops lift it for some (<see cref="Loop.LongQueues"/>).
    /// </summary>
    public const int UnsentLimit = 512 * 1024;

    /// <summary>Zero: the system's (net.ipv4.tcp_notsent_lowat), which is no limit unless somebody has set one.</summary>
    public const int NoUnsentLimit = 0;

    /// <summary>The options of <see cref="ApplyFirst"/> and of <see cref="ApplyForWrites"/>.</summary>
    /// <inheritdoc cref="ApplyFirst"/>
    public static void Apply(int socket, TimeSpan userTimeout, string congestionControl)
    {
        ApplyFirst(socket, userTimeout, congestionControl);
        ApplyForWrites(socket);
    }

    /// <summary>
    /// The options that matter from the handshake or the first byte received on. SO_OOBINLINE: urgent data (RFC 6093) is part of the stream and
    /// stays where it was sent. TCP_USER_TIMEOUT (Linux 2.6.37); TCP_CONGESTION (Linux 2.6.13). ENOPROTOOPT is tolerated for all, and ENOENT and
    /// EPERM for the last: it was checked at start, so modules or rights have changed since.
    /// </summary>
    /// <param name="userTimeout">Zero: the kernel's own limit of retransmissions (tcp_retries2).</param>
    /// <param name="congestionControl">Empty: the system's default.</param>
    public static void ApplyFirst(int socket, TimeSpan userTimeout, string congestionControl)
    {
        TcpSocket.SetOption(socket, Libc.SOL_SOCKET, Libc.SO_OOBINLINE, 1);
        if (userTimeout > TimeSpan.Zero)
        {
            SetUserTimeout(socket, userTimeout);
        }

        if (congestionControl.Length > 0)
        {
            CongestionControl.Set(socket, congestionControl);
        }
    }

    /// <summary>
    /// The options that matter from the second write on: the kernel delays a small segment only while an earlier small one is not acknowledged
    /// (net/ipv4/tcp_output.c, tcp_nagle_check), and one write of a buffer is less than the limit. TCP_NODELAY: a balancer forwards bytes as they
    /// arrive; gathering small writes (RFC 9293, 3.7.4) is the sender's choice. TCP_NOTSENT_LOWAT (Linux 3.12). ENOPROTOOPT is tolerated.
    /// </summary>
    public static void ApplyForWrites(int socket)
    {
        TcpSocket.SetOption(socket, Libc.IPPROTO_TCP, Libc.TCP_NODELAY, 1);
        SetUnsentLimit(socket, UnsentLimit);
    }

    /// <summary>
    /// SO_SNDBUF and SO_RCVBUF (socket(7)); zero leaves the system's. Before listen(2) or connect(2), because the scale of the window is fixed in
    /// the handshake. The kernel doubles the size for its own overhead, and limits it to net.core.wmem_max or rmem_max.
    /// </summary>
    public static void SetBuffers(int socket, ByteSize send, ByteSize receive)
    {
        if (send.Bytes > 0)
        {
            TcpSocket.SetOption(socket, Libc.SOL_SOCKET, Libc.SO_SNDBUF, SizeOf(send));
        }

        if (receive.Bytes > 0)
        {
            TcpSocket.SetOption(socket, Libc.SOL_SOCKET, Libc.SO_RCVBUF, SizeOf(receive));
        }
    }

    /// <summary>Sets TCP_NOTSENT_LOWAT, in bytes. What is queued already stays.</summary>
    public static void SetUnsentLimit(int socket, int limit) => TcpSocket.SetOption(socket, Libc.IPPROTO_TCP, Libc.TCP_NOTSENT_LOWAT, limit);

    /// <summary>Sets TCP_USER_TIMEOUT, in milliseconds. Zero: the kernel's own limit of retransmissions.</summary>
    public static void SetUserTimeout(int socket, TimeSpan userTimeout) => TcpSocket.SetOption(
        socket, Libc.IPPROTO_TCP, Libc.TCP_USER_TIMEOUT, (int)Math.Clamp(Math.Ceiling(userTimeout.TotalMilliseconds), 0, int.MaxValue));

    /// <summary>
    /// SO_KEEPALIVE with TCP_KEEPIDLE, TCP_KEEPINTVL and TCP_KEEPCNT (Linux 2.4), in whole seconds rounded up; ENOPROTOOPT is tolerated.
    /// Does nothing if keepalive is off.
    /// </summary>
    public static void SetKeepalive(int socket, KeepaliveSettings keepalive)
    {
        if (keepalive.Idle > TimeSpan.Zero)
        {
            TcpSocket.SetOption(socket, Libc.IPPROTO_TCP, Libc.TCP_KEEPIDLE, Seconds(keepalive.Idle));
            TcpSocket.SetOption(socket, Libc.IPPROTO_TCP, Libc.TCP_KEEPINTVL, Seconds(keepalive.Interval));
            TcpSocket.SetOption(socket, Libc.IPPROTO_TCP, Libc.TCP_KEEPCNT, Math.Clamp(keepalive.Count, 1, MostKeepalives));
            TcpSocket.SetOption(socket, Libc.SOL_SOCKET, Libc.SO_KEEPALIVE, 1);
        }
    }

    /// <summary>
    /// The only option that a UNIX socket has of these: SO_OOBINLINE (Linux 5.15, with CONFIG_AF_UNIX_OOB). Accepted UNIX sockets do not inherit
    /// it from the listening socket.
    /// </summary>
    public static void ApplyToUnix(int socket) => TcpSocket.SetOption(socket, Libc.SOL_SOCKET, Libc.SO_OOBINLINE, 1);

    /// <summary>Sets all options on a framework socket. Does nothing if the socket is already closed.</summary>
    public static void Apply(
        Socket socket, KeepaliveSettings keepalive, TimeSpan userTimeout, string congestionControl, ByteSize send = default, ByteSize receive = default)
    {
        bool isUnix = socket.AddressFamily == AddressFamily.Unix;
        if (!OperatingSystem.IsLinux())
        {
            if (!isUnix)
            {
                ApplyPortable(socket, keepalive, send, receive);
            }

            return;
        }

        using var descriptor = new BorrowedDescriptor(socket);
        if (isUnix)
        {
            ApplyToUnix(descriptor.Number);
            return;
        }

        Apply(descriptor.Number, userTimeout, congestionControl);
        SetBuffers(descriptor.Number, send, receive);
        SetKeepalive(descriptor.Number, keepalive);
    }

    // Without TCP_USER_TIMEOUT, TCP_NOTSENT_LOWAT and TCP_CONGESTION, which the framework does not support.
    private static void ApplyPortable(Socket socket, KeepaliveSettings keepalive, ByteSize send, ByteSize receive)
    {
        try
        {
            if (send.Bytes > 0)
            {
                socket.SendBufferSize = SizeOf(send);
            }

            if (receive.Bytes > 0)
            {
                socket.ReceiveBufferSize = SizeOf(receive);
            }

            socket.NoDelay = true;
            socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.OutOfBandInline, true);
            if (keepalive.Idle > TimeSpan.Zero)
            {
                socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
                socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, Seconds(keepalive.Idle));
                socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, Seconds(keepalive.Interval));
                socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount, Math.Clamp(keepalive.Count, 1, MostKeepalives));
            }
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.InvalidArgument or SocketError.ConnectionReset
            or SocketError.NotConnected or SocketError.ProtocolOption or SocketError.OperationNotSupported)
        {
            // EINVAL and ECONNRESET: macOS refuses any option on a socket whose peer has reset it. The others: the platform lacks the option.
        }
    }

    private static int SizeOf(ByteSize size) => (int)Math.Min(size.Bytes, int.MaxValue);

    private static int Seconds(TimeSpan time) => (int)Math.Clamp(Math.Ceiling(time.TotalSeconds), 1, LongestKeepalive);
}
