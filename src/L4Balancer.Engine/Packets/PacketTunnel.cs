using System.Net;
using System.Net.Sockets;
using L4Balancer.Core.Addressing;

namespace L4Balancer.Engine.Packets;

/// <summary>The outer header that packets to a backend get (<c>forward = "ipip"</c>). IPv4 and IPv6 packets go in either.</summary>
/// <param name="Source">Of this machine, of the family of the destination.</param>
/// <param name="Destination">Of the backend.</param>
/// <param name="Mtu">The largest packet, in bytes with its outer header, that the way takes; 0: only the kernel's routing table says it.</param>
internal sealed record PacketTunnel(HostAddress Source, HostAddress Destination, int Mtu)
{
    /// <summary>
    /// Asks the kernel by which address of this machine, and with which MTU, packets would go to a backend. Nothing is sent. Any thread.
    /// </summary>
    /// <returns>Null if there is no route.</returns>
    public static PacketTunnel? Towards(HostAddress backend)
    {
        const int ip = 0, ipMtu = 14, ip6 = 41, ip6Mtu = 24, discard = 9;
        IPAddress address = backend.ToIPAddress();
        try
        {
            using var socket = new Socket(address.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
            socket.Connect(address, discard);
            byte[] mtu = new byte[sizeof(int)];
            _ = socket.GetRawSocketOption(backend.IsV4 ? ip : ip6, backend.IsV4 ? ipMtu : ip6Mtu, mtu);
            return new PacketTunnel(HostAddress.From(((IPEndPoint)socket.LocalEndPoint!).Address), backend, BitConverter.ToInt32(mtu));
        }
        catch (SocketException)
        {
            return null;
        }
    }
}
