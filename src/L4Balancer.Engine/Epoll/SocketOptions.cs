using L4Balancer.Core.Config;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Engine.Epoll;

/// <summary>
/// What every relayed socket is given. An option that the kernel lacks is left out: it tunes a connection, it is no condition of
/// having one.
/// </summary>
internal static class SocketOptions
{
    /// <summary>
    /// TCP_NODELAY; SO_OOBINLINE, because urgent data belongs where it was sent; TCP_USER_TIMEOUT (Linux 2.6.37); TCP_CONGESTION
    /// (Linux 2.6.13). ENOPROTOOPT of any is tolerated, and ENOENT and EPERM of the last: the start has asked for it, so modules or
    /// rights have changed.
    /// </summary>
    public static void Apply(int socket, TimeSpan userTimeout, string congestionControl)
    {
        TcpSocket.SetOption(socket, Libc.IPPROTO_TCP, Libc.TCP_NODELAY, 1);
        TcpSocket.SetOption(socket, Libc.SOL_SOCKET, Libc.SO_OOBINLINE, 1);
        if (userTimeout > TimeSpan.Zero)
        {
            TcpSocket.SetOption(socket, Libc.IPPROTO_TCP, Libc.TCP_USER_TIMEOUT, (int)userTimeout.TotalMilliseconds);
        }

        if (congestionControl.Length > 0)
        {
            CongestionControl.Set(socket, congestionControl);
        }
    }

    /// <summary>SO_KEEPALIVE with TCP_KEEPIDLE, TCP_KEEPINTVL and TCP_KEEPCNT (Linux 2.4); ENOPROTOOPT is tolerated.</summary>
    public static void Keep(int socket, KeepaliveSettings keepalive)
    {
        if (keepalive.Idle > TimeSpan.Zero)
        {
            TcpSocket.SetOption(socket, Libc.IPPROTO_TCP, Libc.TCP_KEEPIDLE, (int)keepalive.Idle.TotalSeconds);
            TcpSocket.SetOption(socket, Libc.IPPROTO_TCP, Libc.TCP_KEEPINTVL, (int)keepalive.Interval.TotalSeconds);
            TcpSocket.SetOption(socket, Libc.IPPROTO_TCP, Libc.TCP_KEEPCNT, keepalive.Count);
            TcpSocket.SetOption(socket, Libc.SOL_SOCKET, Libc.SO_KEEPALIVE, 1);
        }
    }
}
