using System.Net.Sockets;
using L4Balancer.Core.Addressing;
using L4Balancer.Engine.Linux;
using L4Balancer.Engine.Listening;

namespace L4Balancer.Engine.Loop;

/// <summary>A listening socket by its descriptor.</summary>
/// <param name="number">Identifies the socket in the workers' events; never reused within the engine.</param>
/// <param name="note">
/// Called with true before it listens and when its target may have changed, and with false before it is closed; null: it is not noted.
/// </param>
internal sealed class LoopListeningSocket(
    int number, int descriptor, Endpoint requested, ListenerRoute target, bool shared, bool inherited, Action<LoopListeningSocket, bool>? note)
    : ListeningSocket(descriptor, requested.IsUnix ? requested : TcpSocket.LocalEndpoint(descriptor), requested, target, shared, inherited)
{
    public int Number { get; } = number;

    /// <summary>Returns a bound socket, or the error.</summary>
    public static (LoopListeningSocket? Socket, SocketError Error) Bind(
        int number, Endpoint endpoint, ListenerRoute target, bool share, Action<LoopListeningSocket, bool>? note)
    {
        SocketError error = ListenDescriptor.Bind(endpoint, target.Listener.Settings, share, out int descriptor, out bool lacksMultipath);
        return error == SocketError.Success
            ? (new LoopListeningSocket(number, descriptor, endpoint, target, share, inherited: false, note)
            {
                LacksMultipath = lacksMultipath,
                IsMultipath = target.Listener.Settings.Mptcp && !lacksMultipath && !endpoint.IsUnix,
            }, error)
            : (null, error);
    }

    public static LoopListeningSocket Inherit(
        int number, int descriptor, Endpoint endpoint, ListenerRoute target, bool isFromService, Action<LoopListeningSocket, bool>? note)
    {
        TcpSocket.MakeOurs(descriptor);

        // The socket may still have the filter that the previous process attached.
        SynFilter.Detach(descriptor);
        return new LoopListeningSocket(number, descriptor, endpoint, target, shared: false, inherited: isFromService, note)
        {
            IsMultipath = TcpSocket.Option(descriptor, Libc.SOL_SOCKET, Libc.SO_PROTOCOL).Value == Libc.IPPROTO_MPTCP,
        };
    }

    public override SocketError Listen(int backlog)
    {
        // First: a socket that has a queue, and that a later process did not know of, would keep the port from it.
        note?.Invoke(this, true);
        SysResult result = TcpSocket.Listen(Descriptor, backlog);
        return result.IsError ? result.Errno.ToSocketError() : SocketError.Success;
    }

    public override void Dispose()
    {
        RemoveFile();
        note?.Invoke(this, false);
        TcpSocket.Close(Descriptor);
    }
}
