using System.Runtime.InteropServices;
using System.Text;

namespace L4Balancer.Engine.Linux;

/// <summary>Addresses of UNIX stream sockets (unix(7)) for the calls of <see cref="TcpSocket"/>.</summary>
internal static unsafe class UnixSocket
{
    /// <summary>sizeof(struct sockaddr_un): the family in host order, and a path of at most 107 bytes that a zero byte ends.</summary>
    private const int Capacity = 110;

    private const int PathOffset = 2;

    public static SysResult Bind(int socket, string path)
    {
        byte* address = stackalloc byte[Capacity];
        return SysResult.From(Libc.bind(socket, address, Write(path, new Span<byte>(address, Capacity))));
    }

    /// <summary>
    /// Completes at once: 0, or EAGAIN if the queue of the listening socket is full, ENOENT if there is no such path, ECONNREFUSED if nothing
    /// listens there.
    /// </summary>
    public static SysResult Connect(int socket, string path)
    {
        byte* address = stackalloc byte[Capacity];
        return SysResult.From(Libc.connect(socket, address, Write(path, new Span<byte>(address, Capacity))));
    }

    /// <summary>The path that a socket is bound to; empty if it has none.</summary>
    public static string PathOf(int socket)
    {
        Span<byte> bytes = stackalloc byte[Capacity];
        bytes.Clear();
        uint length = Capacity - 1;
        fixed (byte* address = bytes)
        {
            if (Libc.getsockname(socket, address, &length) != 0)
            {
                return "";
            }
        }

        // An abstract name begins with a zero byte, and is no path.
        ReadOnlySpan<byte> path = bytes[PathOffset..];
        return Encoding.UTF8.GetString(path[..path.IndexOf((byte)0)]);
    }

    private static uint Write(string path, Span<byte> address)
    {
        address.Clear();
        MemoryMarshal.Write(address, (ushort)Libc.AF_UNIX);
        return (uint)(PathOffset + Encoding.UTF8.GetBytes(path, address[PathOffset..]) + 1);
    }
}
