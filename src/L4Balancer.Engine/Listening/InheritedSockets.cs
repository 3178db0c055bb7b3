using L4Balancer.Core.Addressing;
using L4Balancer.Engine.Linux;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Engine.Listening;

/// <summary>
/// Listening sockets that another process has bound and handed to this one: the service manager (sd_listen_fds(3)), or a process that this one
/// replaces. Each is used for the <c>bind</c> that has exactly its address, a wildcard for the wildcard only; one of a process that this one
/// replaces also for the bind of the same listener to port 0. The remaining ones are logged and closed.
/// </summary>
internal sealed class InheritedSockets(IReadOnlyList<int> fromService, IReadOnlyList<ListeningDescriptor> takenOver)
{
    /// <summary>
    /// Only SOCK_STREAM of TCP, Multipath TCP or a UNIX socket with a path; another kind of socket has no endpoint here and matches nothing.
    /// </summary>
    private readonly List<(int Descriptor, Endpoint? Endpoint, bool IsFromService, string Listener, Endpoint Requested)> _left =
    [
        .. takenOver.Select(t => (t.Descriptor, EndpointOf(t.Descriptor), t.IsFromService, t.Listener, t.Requested)),
        .. fromService.Select(d => (d, EndpointOf(d), true, "", default(Endpoint))),
    ];

    /// <summary>Whether the service manager has made a socket of this address.</summary>
    public bool HasOfService(Endpoint bind) => IsFixed(bind) && _left.Exists(s => s.IsFromService && s.Endpoint == bind);

    /// <returns>Null if no inherited socket has this address, so that it has to be bound.</returns>
    public (int Descriptor, bool IsFromService)? Take(string listener, Endpoint bind)
    {
        int place = IsFixed(bind)
            ? _left.FindIndex(s => s.Endpoint == bind)
            : _left.FindIndex(s => s.Listener == listener && s.Requested == bind && s.Endpoint is { } bound && bound.Address == bind.Address);
        if (place < 0)
        {
            return null;
        }

        (int descriptor, _, bool isFromService, _, _) = _left[place];
        _left.RemoveAt(place);
        return (descriptor, isFromService);
    }

    public void CloseRest(ILogger log)
    {
        foreach ((int descriptor, Endpoint? endpoint, _, _, _) in _left)
        {
            log.InheritedForNothing(descriptor, endpoint?.ToString() ?? "neither a TCP address nor a UNIX socket with a path");
            TcpSocket.Close(descriptor);
        }

        _left.Clear();
    }

    // Port 0 asks the kernel for a port.
    private static bool IsFixed(Endpoint bind) => bind.Port != 0 || bind.IsUnix;

    /// <returns>Null: it is no stream socket with an address or a path.</returns>
    internal static Endpoint? EndpointOf(int descriptor)
    {
        if (TcpSocket.Option(descriptor, Libc.SOL_SOCKET, Libc.SO_TYPE).Value != Libc.SOCK_STREAM)
        {
            return null;
        }

        switch (TcpSocket.Option(descriptor, Libc.SOL_SOCKET, Libc.SO_DOMAIN).Value)
        {
            case Libc.AF_UNIX:
                return Endpoint.TryParseUnix($"unix:{UnixSocket.PathOf(descriptor)}", out Endpoint endpoint) ? endpoint : null;
            case Libc.AF_INET or Libc.AF_INET6:
                bool isTcp = TcpSocket.Option(descriptor, Libc.SOL_SOCKET, Libc.SO_PROTOCOL).Value is Libc.IPPROTO_TCP or Libc.IPPROTO_MPTCP;
                return isTcp ? TcpSocket.LocalEndpoint(descriptor) : null;
            default:
                return null;
        }
    }
}
