using System.Net;
using System.Net.Sockets;
using L4Balancer.Core.Addressing;

namespace L4Balancer.Engine.Sockets;

/// <summary>Addresses and stream sockets of the framework, for IP addresses and UNIX sockets.</summary>
internal static class SocketEndPoint
{
    public static EndPoint Of(Endpoint endpoint) => endpoint.IsUnix ? new UnixDomainSocketEndPoint(endpoint.UnixPath) : endpoint.ToIPEndPoint();

    /// <summary>A stream socket of the address's family.</summary>
    /// <exception cref="SocketException">No descriptor, or no such address family on this host.</exception>
    public static Socket Open(EndPoint address) => new(
        address.AddressFamily, SocketType.Stream, address.AddressFamily == AddressFamily.Unix ? ProtocolType.Unspecified : ProtocolType.Tcp);
}
