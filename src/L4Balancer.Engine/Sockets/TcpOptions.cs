using System.Net.Sockets;
using System.Text;
using L4Balancer.Core.Config;

namespace L4Balancer.Engine.Sockets;

/// <summary>
/// What every relayed socket is given. An option that the platform lacks is left out: it tunes a connection, it is no condition of
/// having one. Any other error is a bug, and thrown.
/// </summary>
internal static class TcpOptions
{
    private const int IpProtoTcp = 6;

    /// <summary>TCP_USER_TIMEOUT (tcp(7), Linux 2.6.37), in milliseconds.</summary>
    private const int UserTimeout = 18;

    /// <summary>TCP_CONGESTION (tcp(7), Linux 2.6.13), a name.</summary>
    private const int CongestionControl = 13;

    /// <summary>tcp(7): Linux takes at most these values (MAX_TCP_KEEPIDLE, MAX_TCP_KEEPINTVL, MAX_TCP_KEEPCNT).</summary>
    private const int LongestKeepalive = 32_767;
    private const int MostKeepalives = 127;

    /// <param name="userTimeout">Zero: the kernel's own patience.</param>
    /// <param name="congestionControl">Empty: the system's.</param>
    /// <returns>False where the connection is over already, so that nothing could be set: reading it will tell how it ended.</returns>
    public static bool Apply(Socket socket, KeepaliveSettings keepalive, TimeSpan userTimeout, string congestionControl)
    {
        try
        {
            // A balancer forwards what it gets when it gets it; gathering small writes (RFC 9293, 3.7.4) is the sender's choice.
            socket.NoDelay = true;

            // Urgent data (RFC 6093) is part of the stream, and is passed on where it was sent.
            socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.OutOfBandInline, true);
            if (keepalive.Idle > TimeSpan.Zero)
            {
                ApplyKeepalive(socket, keepalive);
            }

            if (userTimeout > TimeSpan.Zero)
            {
                ApplyUserTimeout(socket, userTimeout);
            }

            if (congestionControl.Length > 0)
            {
                ApplyCongestionControl(socket, congestionControl);
            }

            return true;
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.InvalidArgument or SocketError.ConnectionReset
            or SocketError.NotConnected)
        {
            // EINVAL and ECONNRESET: some platforms (macOS) refuse any option on a socket whose peer has reset it. Linux does not.
            return false;
        }
    }

    /// <summary>
    /// SO_KEEPALIVE (socket(7), everywhere); TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT (tcp(7), Linux 2.4). ENOPROTOOPT of the last
    /// three is tolerated: keepalive then goes by the system's times.
    /// </summary>
    private static void ApplyKeepalive(Socket socket, KeepaliveSettings keepalive)
    {
        socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
        try
        {
            SetTcp(socket, SocketOptionName.TcpKeepAliveTime, Seconds(keepalive.Idle));
            SetTcp(socket, SocketOptionName.TcpKeepAliveInterval, Seconds(keepalive.Interval));
            SetTcp(socket, SocketOptionName.TcpKeepAliveRetryCount, Math.Clamp(keepalive.Count, 1, MostKeepalives));
        }
        catch (SocketException e) when (IsLacking(e))
        {
        }
    }

    /// <summary>TCP_USER_TIMEOUT; ENOPROTOOPT is tolerated: the kernel's retransmission limit decides then (tcp_retries2).</summary>
    private static void ApplyUserTimeout(Socket socket, TimeSpan userTimeout) =>
        SetRaw(socket, UserTimeout, (int)Math.Clamp(userTimeout.TotalMilliseconds, 1, int.MaxValue));

    /// <summary>
    /// TCP_CONGESTION; ENOENT, which .NET calls AddressNotAvailable, and EPERM are tolerated: the start has asked for it, so modules or
    /// rights have changed.
    /// </summary>
    private static void ApplyCongestionControl(Socket socket, string name)
    {
        if (!OperatingSystem.IsLinux())
        {
            return;
        }

        try
        {
            socket.SetRawSocketOption(IpProtoTcp, CongestionControl, Encoding.ASCII.GetBytes(name));
        }
        catch (SocketException e) when (IsLacking(e) || e.SocketErrorCode is SocketError.AddressNotAvailable or SocketError.AccessDenied)
        {
        }
    }

    private static void SetRaw(Socket socket, int option, int value)
    {
        if (!OperatingSystem.IsLinux())
        {
            return;
        }

        Span<byte> bytes = stackalloc byte[sizeof(int)];
        BitConverter.TryWriteBytes(bytes, value);
        try
        {
            socket.SetRawSocketOption(IpProtoTcp, option, bytes);
        }
        catch (SocketException e) when (IsLacking(e))
        {
        }
    }

    private static void SetTcp(Socket socket, SocketOptionName name, int value) =>
        socket.SetSocketOption(SocketOptionLevel.Tcp, name, value);

    private static int Seconds(TimeSpan time) => (int)Math.Clamp(Math.Ceiling(time.TotalSeconds), 1, LongestKeepalive);

    private static bool IsLacking(SocketException exception) =>
        exception.SocketErrorCode is SocketError.ProtocolOption or SocketError.OperationNotSupported;
}
