using L4Balancer.Core.Addressing;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Bench.Peers;

/// <summary>Opens client sockets, on loopback from several addresses in turn, so that TIME_WAIT of one run does not starve the next.</summary>
internal static class ClientSocket
{
    private const uint FirstSource = 0x7F00_0102;
    private const uint Sources = 32;

    private static uint _next;

    /// <summary>Begins to connect; done, or failed, when the socket becomes writable.</summary>
    public static SysResult Open(Endpoint target)
    {
        SysResult opened = TcpSocket.Open(target.Address);
        if (opened.IsError)
        {
            return opened;
        }

        int socket = opened.Value;
        TcpSocket.SetOption(socket, Libc.IPPROTO_TCP, Libc.TCP_NODELAY, 1);

        // Linux 4.2: the port is chosen at connect(2), when the whole four-tuple is known.
        TcpSocket.SetOption(socket, Libc.IPPROTO_IP, Libc.IP_BIND_ADDRESS_NO_PORT, 1);
        SysResult step = target.Address.IsLoopback ? TcpSocket.Bind(socket, new Endpoint(HostAddress.FromV4(FirstSource + (_next++ % Sources)), 0)) : default;
        if (!step.IsError)
        {
            step = TcpSocket.Connect(socket, target);
        }

        if (step.IsError && step.Errno != Errno.EINPROGRESS)
        {
            TcpSocket.Close(socket);
            return step;
        }

        return opened;
    }
}
