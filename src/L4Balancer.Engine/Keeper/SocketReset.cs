using L4Balancer.Engine.Linux;

namespace L4Balancer.Engine.Keeper;

/// <summary>Ends connections whose sockets a keeper has as well, so that a close here would not reach the peer.</summary>
public static class SocketReset
{
    /// <summary>
    /// The peer of a TCP connection gets a reset; that of a UNIX socket, for which there is none, the end of the stream. The descriptor is closed. Of a
    /// socket that listens, and of anything else, nothing but the descriptor is closed.
    /// </summary>
    /// <returns>Whether there was a connection.</returns>
    public static bool Now(int descriptor)
    {
        bool isConnection = IsStream(descriptor) && !IsListening(descriptor);
        if (isConnection && (!IsTcp(descriptor) || TcpSocket.Abort(descriptor).IsError))
        {
            TcpSocket.ShutdownBoth(descriptor);
        }

        TcpSocket.Close(descriptor);
        return isConnection;
    }

    internal static bool IsStream(int descriptor) => TcpSocket.Option(descriptor, Libc.SOL_SOCKET, Libc.SO_TYPE).Value == Libc.SOCK_STREAM;

    internal static bool IsListening(int socket) => TcpSocket.Option(socket, Libc.SOL_SOCKET, Libc.SO_ACCEPTCONN).Value == 1;

    internal static bool IsTcp(int socket) => TcpSocket.Option(socket, Libc.SOL_SOCKET, Libc.SO_DOMAIN).Value is Libc.AF_INET or Libc.AF_INET6;
}
