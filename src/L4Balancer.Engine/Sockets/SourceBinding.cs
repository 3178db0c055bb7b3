using System.Net;
using System.Net.Sockets;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Ports;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Engine.Sockets;

/// <summary>
/// Binds to a source address of the configuration and leaves the port to connect(2), if necessary within a part of the range.
/// </summary>
internal static class SourceBinding
{
    /// <summary>
    /// IP_BIND_ADDRESS_NO_PORT (ip(7), Linux 4.2): bind takes the address only, and connect chooses the port when it knows the
    /// destination, so that one local port serves many destinations. It is set at SOL_IP for IPv6 sockets too. ENOPROTOOPT before Linux 4.2:
    /// bind then takes a port for all destinations at once, so that fewer connections are possible.
    /// </summary>
    public static void DeferPort(int socket) => TcpSocket.SetOption(socket, Libc.IPPROTO_IP, Libc.IP_BIND_ADDRESS_NO_PORT, 1);

    /// <summary>IP_LOCAL_PORT_RANGE (ip(7), Linux 6.3), at SOL_IP for either family: connect chooses its port from this part of the range.</summary>
    /// <returns>Null on success, or if the kernel cannot (ENOPROTOOPT before Linux 6.3), which the supply notes; otherwise a local failure.</returns>
    public static ConnectFailure? LimitPorts(int socket, PortWindow window, PortSupply ports)
    {
        Errno error = TcpSocket.SetOption(socket, Libc.IPPROTO_IP, Libc.IP_LOCAL_PORT_RANGE, (int)window.Packed).Errno;
        if (error == Errno.ENOPROTOOPT)
        {
            ports.LacksWindows();
            return null;
        }

        return error == Errno.None ? null : ConnectErrors.OfSocket(error);
    }

    /// <summary>
    /// IP_TRANSPARENT (ip(7), Linux 2.6.24), IPV6_TRANSPARENT (Linux 2.6.37): the socket may bind an address of another host. Needs
    /// CAP_NET_ADMIN (or CAP_NET_RAW), and rules that route the answers back to this host.
    /// </summary>
    public static Errno MakeTransparent(int socket, HostAddress family) => family.IsV4
        ? TcpSocket.SetOption(socket, Libc.IPPROTO_IP, Libc.IP_TRANSPARENT, 1).Errno
        : TcpSocket.SetOption(socket, Libc.IPPROTO_IPV6, Libc.IPV6_TRANSPARENT, 1).Errno;

    /// <summary>As <see cref="MakeTransparent(int, HostAddress)"/>; not supported on other platforms than Linux.</summary>
    public static Errno MakeTransparent(Socket socket, HostAddress family)
    {
        if (!OperatingSystem.IsLinux())
        {
            return Errno.ENOPROTOOPT;
        }

        using var descriptor = new BorrowedDescriptor(socket);
        return MakeTransparent(descriptor.Number, family);
    }

    /// <summary>Binds to the address and leaves the port to connect.</summary>
    /// <param name="socket">A new socket of the address's family.</param>
    /// <returns>Null on success. <see cref="ConnectFailure.SourceUnusable"/> if the host has no such address.</returns>
    public static ConnectFailure? Bind(Socket socket, HostAddress source)
    {
        try
        {
            DeferPort(socket);
            socket.Bind(new IPEndPoint(source.ToIPAddress(), 0));
            return null;
        }
        catch (SocketException e)
        {
            return ConnectErrors.OfBind(e.SocketErrorCode);
        }
    }

    /// <summary>Binds to the client's own address, and leaves the port to connect.</summary>
    /// <param name="fault">Set if the result is <see cref="ConnectFailure.NotTransparent"/>.</param>
    /// <returns>Null on success.</returns>
    public static ConnectFailure? BindTransparent(Socket socket, HostAddress client, out TransparentFault? fault)
    {
        fault = null;
        Errno refusal = MakeTransparent(socket, client);
        if (refusal != Errno.None)
        {
            fault = new TransparentFault(IsRefused: true, refusal.ToString());
            return ConnectFailure.NotTransparent;
        }

        try
        {
            DeferPort(socket);
            socket.Bind(new IPEndPoint(client.ToIPAddress(), 0));
            return null;
        }
        catch (SocketException e)
        {
            ConnectFailure failure = ConnectErrors.OfTransparentBind(e.SocketErrorCode);
            fault = failure == ConnectFailure.NotTransparent ? new TransparentFault(IsRefused: false, e.SocketErrorCode.ToString()) : null;
            return failure;
        }
    }

    /// <summary>As <see cref="LimitPorts(int, PortWindow, PortSupply)"/>; not supported on other platforms than Linux.</summary>
    public static ConnectFailure? LimitPorts(Socket socket, PortWindow window, PortSupply ports)
    {
        if (!OperatingSystem.IsLinux())
        {
            ports.LacksWindows();
            return null;
        }

        using var descriptor = new BorrowedDescriptor(socket);
        return LimitPorts(descriptor.Number, window, ports);
    }

    private static void DeferPort(Socket socket)
    {
        if (OperatingSystem.IsLinux())
        {
            using var descriptor = new BorrowedDescriptor(socket);
            DeferPort(descriptor.Number);
        }
    }
}
