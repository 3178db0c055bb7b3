using L4Balancer.Core.Addressing;
using L4Balancer.Engine.Linux;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Engine.Listening;

/// <summary>
/// Listening sockets that another process has bound and handed to this one (sd_listen_fds(3)). Each is used for the <c>bind</c> that has
/// exactly its address, a wildcard for the wildcard only. The remaining ones are logged and closed.
/// </summary>
internal sealed class InheritedSockets(IReadOnlyList<int> descriptors)
{
    /// <summary>Only SOCK_STREAM with IPPROTO_TCP; another kind of socket has no endpoint here and matches nothing.</summary>
    private readonly List<(int Descriptor, Endpoint? Endpoint)> _left = [.. descriptors.Select(d => (d, EndpointOf(d)))];

    /// <summary>Whether an inherited socket has this address.</summary>
    public bool Has(Endpoint bind) => bind.Port != 0 && _left.Exists(s => s.Endpoint == bind);

    /// <returns>Null if no inherited socket has this address, so that it has to be bound.</returns>
    public int? Take(Endpoint bind)
    {
        int place = bind.Port == 0 ? -1 : _left.FindIndex(s => s.Endpoint == bind);
        if (place < 0)
        {
            return null;
        }

        int descriptor = _left[place].Descriptor;
        _left.RemoveAt(place);
        return descriptor;
    }

    public void CloseRest(ILogger log)
    {
        foreach ((int descriptor, Endpoint? endpoint) in _left)
        {
            log.InheritedForNothing(descriptor, endpoint?.ToString() ?? "not a TCP address");
            TcpSocket.Close(descriptor);
        }

        _left.Clear();
    }

    private static Endpoint? EndpointOf(int descriptor)
    {
        bool isTcp = TcpSocket.Option(descriptor, Libc.SOL_SOCKET, Libc.SO_TYPE).Value == Libc.SOCK_STREAM
            && TcpSocket.Option(descriptor, Libc.SOL_SOCKET, Libc.SO_PROTOCOL).Value == Libc.IPPROTO_TCP
            && TcpSocket.Option(descriptor, Libc.SOL_SOCKET, Libc.SO_DOMAIN).Value is Libc.AF_INET or Libc.AF_INET6;
        return isTcp ? TcpSocket.LocalEndpoint(descriptor) : null;
    }
}
