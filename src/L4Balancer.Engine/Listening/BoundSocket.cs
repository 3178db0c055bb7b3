using L4Balancer.Core.Addressing;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Engine.Listening;

/// <summary>A socket that another process has bound, or an earlier one: what it is bound to. Only on Linux; any thread.</summary>
public static class BoundSocket
{
    /// <returns>The address of a TCP socket; null: it is another socket, or none.</returns>
    public static Endpoint? Tcp(int descriptor) => InheritedSockets.EndpointOf(descriptor) is { IsUnix: false } endpoint ? endpoint : null;

    /// <returns>The address of a UDP socket; null: it is another socket, or none.</returns>
    public static Endpoint? Udp(int descriptor) =>
        TcpSocket.Option(descriptor, Libc.SOL_SOCKET, Libc.SO_TYPE).Value == Libc.SOCK_DGRAM
        && TcpSocket.Option(descriptor, Libc.SOL_SOCKET, Libc.SO_DOMAIN).Value is Libc.AF_INET or Libc.AF_INET6
            ? TcpSocket.LocalEndpoint(descriptor) : null;

    /// <returns>The path of a UNIX stream socket; null: it is another socket, or none, or has no path.</returns>
    public static string? UnixPath(int descriptor) =>
        TcpSocket.Option(descriptor, Libc.SOL_SOCKET, Libc.SO_TYPE).Value == Libc.SOCK_STREAM
        && TcpSocket.Option(descriptor, Libc.SOL_SOCKET, Libc.SO_DOMAIN).Value == Libc.AF_UNIX
        && UnixSocket.PathOf(descriptor) is { Length: > 0 } path ? path : null;

    /// <summary>Closes a descriptor whose socket another process may go on with: by close(2) only.</summary>
    public static void Close(int descriptor) => TcpSocket.Close(descriptor);
}
