using System.Net.Sockets;
using L4Balancer.Core.Addressing;
using L4Balancer.Engine.Linux;
using L4Balancer.Engine.Listening;

namespace L4Balancer.Engine.Loop;

/// <summary>A listening socket by its descriptor.</summary>
/// <param name="number">Identifies the socket in the workers' events; never reused within the engine.</param>
internal sealed class LoopListeningSocket(int number, int descriptor, Endpoint requested, ListenerRoute target, bool shared)
    : ListeningSocket(descriptor, TcpSocket.LocalEndpoint(descriptor), requested, target, shared)
{
    public int Number { get; } = number;

    /// <summary>Returns a bound socket, or the error.</summary>
    public static (LoopListeningSocket? Socket, Errno Error) Bind(int number, Endpoint endpoint, ListenerRoute target, bool share)
    {
        SysResult opened = TcpSocket.Open(endpoint.Address);
        if (opened.IsError)
        {
            return (null, opened.Errno);
        }

        int descriptor = opened.Value;
        if (!endpoint.Address.IsV4)
        {
            TcpSocket.SetOption(descriptor, Libc.IPPROTO_IPV6, Libc.IPV6_V6ONLY, 1);
        }

        // SO_REUSEADDR lets a restart bind over connections in TIME_WAIT; two listening sockets still exclude each other (socket(7)).
        TcpSocket.SetOption(descriptor, Libc.SOL_SOCKET, Libc.SO_REUSEADDR, 1);
        TcpSocket.SetOption(descriptor, Libc.SOL_SOCKET, Libc.SO_REUSEPORT, share ? 1 : 0);
        TcpSocket.SetOption(descriptor, Libc.IPPROTO_IP, Libc.IP_FREEBIND, target.Listener.Settings.Freebind ? 1 : 0);
        SysResult bound = TcpSocket.Bind(descriptor, endpoint);
        if (bound.IsError)
        {
            TcpSocket.Close(descriptor);
            return (null, bound.Errno);
        }

        return (new LoopListeningSocket(number, descriptor, endpoint, target, share), Errno.None);
    }

    public static LoopListeningSocket Inherit(int number, int descriptor, Endpoint endpoint, ListenerRoute target)
    {
        TcpSocket.MakeOurs(descriptor);

        // The socket may still have the filter that the previous process attached.
        SynFilter.Detach(descriptor);
        return new LoopListeningSocket(number, descriptor, endpoint, target, shared: false) { IsInherited = true };
    }

    public override SocketError Listen(int backlog)
    {
        SysResult result = TcpSocket.Listen(Descriptor, backlog);
        return result.IsError ? result.Errno.ToSocketError() : SocketError.Success;
    }

    public override void Dispose() => TcpSocket.Close(Descriptor);
}
