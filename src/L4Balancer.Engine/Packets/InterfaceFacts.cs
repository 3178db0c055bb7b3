using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Engine.Packets;

/// <summary>What the kernel says of a network interface (rtnetlink(7), RTM_GETLINK).</summary>
/// <param name="Mac">48 bits, the first byte in the highest; 0: it has none.</param>
/// <param name="Kind">Of a virtual interface: <c>veth</c>, <c>bond</c>, <c>vlan</c>; otherwise empty.</param>
/// <param name="Xdp">Where XDP is attached: 0 nowhere, 1 in the driver, 2 generic, 3 in hardware.</param>
internal readonly record struct InterfaceFacts(string Name, int Index, ulong Mac, string Kind, byte Xdp)
{
    /// <summary>Bytes of struct ifinfomsg.</summary>
    private const int Body = 16;

    /// <returns>ENODEV: there is no such interface.</returns>
    public static Errno Read(NetlinkSocket netlink, string name, out InterfaceFacts facts)
    {
        InterfaceFacts read = default;
        Errno error = netlink.Ask(
            new NetlinkRequest(Libc.RTM_GETLINK, 0, new byte[Body]).With(Libc.IFLA_IFNAME, name),
            (in NetlinkMessage message) => read = Parse(message));
        facts = read;
        return error;
    }

    /// <summary>Whether a message is about an interface itself, and not about its role as a port of a bridge.</summary>
    public static bool IsOfInterface(in NetlinkMessage message) => message.Body.Length >= Body && message.Body[0] == 0;

    public static InterfaceFacts Parse(in NetlinkMessage message)
    {
        if (message.Body.Length < Body)
        {
            return default;
        }

        ReadOnlySpan<byte> attributes = message.Body[Body..];
        ReadOnlySpan<byte> kind = NetlinkMessage.Find(NetlinkMessage.Find(attributes, Libc.IFLA_LINKINFO), Libc.IFLA_INFO_KIND);
        ReadOnlySpan<byte> xdp = NetlinkMessage.Find(NetlinkMessage.Find(attributes, Libc.IFLA_XDP), Libc.IFLA_XDP_ATTACHED);
        return new InterfaceFacts(
            Text(NetlinkMessage.Find(attributes, Libc.IFLA_IFNAME)),
            MemoryMarshal.Read<int>(message.Body[4..]),
            MacOf(NetlinkMessage.Find(attributes, Libc.IFLA_ADDRESS)),
            Text(kind),
            xdp.Length > 0 ? xdp[0] : (byte)0);
    }

    /// <summary>A MAC address as a number; 0 if it is none of 48 bits.</summary>
    public static ulong MacOf(ReadOnlySpan<byte> address)
    {
        ulong mac = 0;
        foreach (byte b in address.Length == 6 ? address : [])
        {
            mac = (mac << 8) | b;
        }

        return mac;
    }

    /// <summary>As <c>02:00:00:00:01:07</c>.</summary>
    public static string TextOf(ulong mac) => string.Join(
        ':', Enumerable.Range(0, 6).Select(i => ((byte)(mac >> (40 - (8 * i)))).ToString("x2", CultureInfo.InvariantCulture)));

    private static string Text(ReadOnlySpan<byte> value) => Encoding.UTF8.GetString(value.TrimEnd((byte)0));
}
