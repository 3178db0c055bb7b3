using System.Net;
using System.Net.Sockets;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;

namespace L4Balancer.Platform;

/// <summary>Checks at start whether the addresses in <c>source_ips</c> can be used.</summary>
internal static class SourceAddresses
{
    /// <summary>
    /// Addresses that bind(2) refuses with EADDRNOTAVAIL because the host does not have them. They cause only a warning, because an
    /// address that moves between hosts may be added later.
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
