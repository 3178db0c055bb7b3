using System.Net;
using System.Net.Sockets;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;

namespace L4Balancer.Platform;

/// <summary>Looks at the start whether the addresses in <c>source_ips</c> can be connected from.</summary>
internal static class SourceAddresses
{
    /// <summary>
    /// Those that bind(2) refuses with EADDRNOTAVAIL: the host does not have them. It is told and no more, because an address that
    /// moves between hosts may come later.
    /// </summary>
    public static IEnumerable<(string Pool, HostAddress Address)> NotHere(BalancerConfig config) =>
        config.Pools.SelectMany(p => p.SourceIps, (p, address) => (p.Name, address)).Where(s => !IsHere(s.address));

    private static bool IsHere(HostAddress address)
    {
        try
        {
            using var socket = new Socket(address.ToIPAddress().AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            socket.Bind(new IPEndPoint(address.ToIPAddress(), 0));
            return true;
        }
        catch (SocketException e)
        {
            return e.SocketErrorCode != SocketError.AddressNotAvailable;
        }
    }
}
