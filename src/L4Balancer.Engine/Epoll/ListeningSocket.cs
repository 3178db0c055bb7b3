using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Routing;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Engine.Epoll;

/// <summary>
/// One bound address. There is one socket for all threads, without SO_REUSEPORT: a port in use is an error, nothing queued is lost
/// when threads change, and it can be handed on. What is set on it here, the kernel passes on to every accepted socket (tcp(7)).
/// </summary>
internal sealed class ListeningSocket
{
    private Target _target;

    private ListeningSocket(int number, int descriptor, Target target)
    {
        Number = number;
        Descriptor = descriptor;
        _target = target;
        Endpoint = TcpSocket.LocalEndpoint(descriptor);
    }

    /// <summary>Its place among the engine's listening sockets.</summary>
    public int Number { get; }

    public int Descriptor { get; }

    /// <summary>Where its connections go now: replaced with each snapshot, read once per connection.</summary>
    public Target Target
    {
        get => Volatile.Read(ref _target);
        set => Volatile.Write(ref _target, value);
    }

    /// <summary>As bound: with the port that the kernel chose where 0 was asked for.</summary>
    public Endpoint Endpoint { get; }

    /// <summary>What went wrong, or the socket.</summary>
    public static (ListeningSocket? Socket, Errno Error) Open(int number, Target target, Endpoint endpoint)
    {
        SysResult opened = TcpSocket.Open(endpoint.Address);
        if (opened.IsError)
        {
            return (null, opened.Errno);
        }

        int descriptor = opened.Value;
        SysResult result = Prepare(descriptor, target.Listener.Settings, endpoint);
        if (!result.IsError)
        {
            return (new ListeningSocket(number, descriptor, target), Errno.None);
        }

        TcpSocket.Close(descriptor);
        return (null, result.Errno);
    }

    public void Close() => TcpSocket.Close(Descriptor);

    private static SysResult Prepare(int descriptor, ListenerSettings settings, Endpoint endpoint)
    {
        if (!endpoint.Address.IsV4)
        {
            TcpSocket.SetOption(descriptor, Libc.IPPROTO_IPV6, Libc.IPV6_V6ONLY, 1);
        }

        // SO_REUSEADDR lets a restart bind over connections in TIME_WAIT; two listening sockets still exclude each other (socket(7)).
        TcpSocket.SetOption(descriptor, Libc.SOL_SOCKET, Libc.SO_REUSEADDR, 1);
        SocketOptions.Apply(descriptor, settings.UserTimeout, settings.CongestionControl);
        SocketOptions.Keep(descriptor, settings.Keepalive);
        if (settings.DeferAccept > TimeSpan.Zero)
        {
            // Linux 2.4; without it the connection is there at once.
            TcpSocket.SetOption(descriptor, Libc.IPPROTO_TCP, Libc.TCP_DEFER_ACCEPT, (int)settings.DeferAccept.TotalSeconds);
        }

        SysResult bound = TcpSocket.Bind(descriptor, endpoint);
        return bound.IsError ? bound : TcpSocket.Listen(descriptor, settings.Backlog);
    }
}
