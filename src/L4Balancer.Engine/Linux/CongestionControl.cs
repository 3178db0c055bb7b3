using System.Runtime.Versioning;
using L4Balancer.Core.Addressing;

namespace L4Balancer.Engine.Linux;

/// <summary>TCP_CONGESTION (tcp(7), Linux 2.6.13): the algorithms that this user may choose on this kernel.</summary>
public static unsafe class CongestionControl
{
    /// <summary>TCP_CA_NAME_MAX of linux/tcp.h, including the terminating zero.</summary>
    private const int Capacity = 16;

    /// <summary>Checks an algorithm by setting it on a socket, for which the kernel may load a module.</summary>
    /// <returns>Null if it can be chosen; otherwise one line that states what is wrong and how to fix it.</returns>
    [SupportedOSPlatform("linux")]
    public static string? WhyNot(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        SysResult socket = TcpSocket.Open(HostAddress.FromV4(0));
        if (socket.IsError)
        {
            return $"cannot be checked ({socket.Errno})";
        }

        Errno error = Set(socket.Value, name).Errno;
        TcpSocket.Close(socket.Value);
        return error switch
        {
            Errno.None => null,
            Errno.EPERM => $"not permitted for this user: add it to sysctl net.ipv4.tcp_allowed_congestion_control, grant CAP_NET_ADMIN, "
                + $"or use one of: {Listed("tcp_allowed_congestion_control")}",
            _ => $"not available in this kernel: load its module (modprobe tcp_{name}), or use one of: "
                + Listed("tcp_available_congestion_control"),
        };
    }

    /// <summary>The default of sockets for which none is set; empty if it cannot be read.</summary>
    internal static string OfSystem()
    {
        try
        {
            return File.ReadAllText("/proc/sys/net/ipv4/tcp_congestion_control").Trim();
        }
        catch (IOException)
        {
            return "";
        }
    }

    /// <summary>ENOENT: the kernel does not have it. EPERM: this user may not choose it.</summary>
    internal static SysResult Set(int socket, string name)
    {
        byte* bytes = stackalloc byte[Capacity];
        int length = Math.Min(name.Length, Capacity - 1);
        for (int i = 0; i < length; i++)
        {
            bytes[i] = (byte)name[i];
        }

        return SysResult.From(Libc.setsockopt(socket, Libc.IPPROTO_TCP, Libc.TCP_CONGESTION, bytes, (uint)length));
    }

    private static string Listed(string list)
    {
        try
        {
            return File.ReadAllText($"/proc/sys/net/ipv4/{list}").Trim();
        }
        catch (IOException)
        {
            return $"those listed in /proc/sys/net/ipv4/{list}";
        }
    }
}
