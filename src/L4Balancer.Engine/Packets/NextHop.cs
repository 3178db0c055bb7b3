using System.Runtime.InteropServices;
using L4Balancer.Core.Addressing;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Engine.Packets;

/// <summary>The neighbour that packets to an address are sent to, by the routing table (rtnetlink(7), RTM_GETROUTE).</summary>
internal static class NextHop
{
    /// <summary>Bytes of struct rtmsg.</summary>
    private const int Body = 12;

    /// <param name="interfaceIndex">The interface that they leave by.</param>
    /// <returns>The router, or the address itself if it is on the segment; null: there is no route by this interface.</returns>
    public static HostAddress? Towards(NetlinkSocket netlink, int interfaceIndex, HostAddress address)
    {
        byte[] bytes = address.ToIPAddress().GetAddressBytes();
        byte[] body = new byte[Body];
        body[0] = (byte)(address.IsV4 ? Libc.AF_INET : Libc.AF_INET6);
        body[1] = (byte)(bytes.Length * 8);
        HostAddress? next = null;
        Errno error = netlink.Ask(
            new NetlinkRequest(Libc.RTM_GETROUTE, 0, body).With(Libc.RTA_DST, bytes).With(Libc.RTA_OIF, interfaceIndex),
            (in NetlinkMessage message) => next = Parse(message, interfaceIndex, address));
        return error == Errno.None ? next : null;
    }

    private static HostAddress? Parse(in NetlinkMessage message, int interfaceIndex, HostAddress address)
    {
        const byte unicast = 1; // RTN_UNICAST
        if (message.Body.Length < Body || message.Body[7] != unicast)
        {
            return null;
        }

        ReadOnlySpan<byte> attributes = message.Body[Body..];
        ReadOnlySpan<byte> gateway = NetlinkMessage.Find(attributes, Libc.RTA_GATEWAY);
        ReadOnlySpan<byte> leaves = NetlinkMessage.Find(attributes, Libc.RTA_OIF);
        return leaves.Length < sizeof(int) || MemoryMarshal.Read<int>(leaves) != interfaceIndex ? null
            : gateway.Length is 4 or 16 ? HostAddress.From(new System.Net.IPAddress(gateway)) : address;
    }
}
