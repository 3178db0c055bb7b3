using System.Net;
using System.Net.Sockets;
using L4Balancer.Core.Addressing;

namespace L4Balancer.Platform;

/// <summary>
/// Whether this host has an address. The interfaces are not listed, because that needs a netlink socket, which the systemd unit does not allow
/// (RestrictAddressFamilies=).
/// </summary>
internal static class LocalAddresses
{
    private const string NonLocalBind4 = "/proc/sys/net/ipv4/ip_nonlocal_bind";
    private const string NonLocalBind6 = "/proc/sys/net/ipv6/ip_nonlocal_bind";

    /// <summary>Any port will do: nothing is sent.</summary>
    private const int Discard = 9;

    /// <summary>Any thread. Takes two sockets for a moment; false if there are none, or if the host lacks the address family.</summary>
    public static bool Has(HostAddress address) => address.IsLoopback || IsOwnSource(address) || (!AllowsAll(address) && CanBind(address));

    // For a destination of its own the kernel takes the destination as source. A secondary address of a subnet has the primary one as source instead.
    private static bool IsOwnSource(HostAddress address) => Try(address, static (socket, ip) =>
    {
        socket.Connect(new IPEndPoint(ip, Discard));
        return socket.LocalEndPoint is IPEndPoint local && local.Address.Equals(ip);
    });

    private static bool CanBind(HostAddress address) => Try(address, static (socket, ip) =>
    {
        socket.Bind(new IPEndPoint(ip, 0));
        return true;
    });

    // With ip_nonlocal_bind (ip(7)), which VRRP daemons ask for, every address can be bound.
    private static bool AllowsAll(HostAddress address)
    {
        try
        {
            return OperatingSystem.IsLinux() && File.ReadAllText(address.IsV4 ? NonLocalBind4 : NonLocalBind6).Trim() != "0";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    private static bool Try(HostAddress address, Func<Socket, IPAddress, bool> attempt)
    {
        try
        {
            IPAddress ip = address.ToIPAddress();
            using var socket = new Socket(ip.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
            return attempt(socket, ip);
        }
        catch (SocketException)
        {
            // No route, no such address, no such family, or no descriptor.
            return false;
        }
    }
}
