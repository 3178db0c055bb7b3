using System.Net.Sockets;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Engine.Linux;
using L4Balancer.Engine.Sockets;

namespace L4Balancer.Engine.Listening;

/// <summary>Makes the listening sockets of both engines on Linux.</summary>
internal static class ListenDescriptor
{
    /// <summary>
    /// Everybody may connect to a UNIX socket (connect(2) needs the right to write), as to a port; the rights of its directory restrict that.
    /// </summary>
    private const UnixFileMode SocketMode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.GroupWrite
        | UnixFileMode.OtherRead | UnixFileMode.OtherWrite;

    /// <summary>Binds a socket that does not listen yet.</summary>
    /// <param name="share">Set SO_REUSEPORT, because a socket that is being retired still occupies the address.</param>
    /// <param name="lacksMultipath">The listener asks for Multipath TCP, but the kernel cannot; the socket is one of plain TCP.</param>
    public static SocketError Bind(Endpoint endpoint, ListenerSettings settings, bool share, out int descriptor, out bool lacksMultipath)
    {
        lacksMultipath = false;
        SysResult opened = endpoint.IsUnix || !settings.Mptcp ? TcpSocket.Open(endpoint) : OpenMultipath(endpoint, out lacksMultipath);
        descriptor = opened.Value;
        if (opened.IsError)
        {
            return opened.Errno.ToSocketError();
        }

        SocketError error = endpoint.IsUnix ? BindUnix(descriptor, endpoint) : BindPort(descriptor, endpoint, settings.Freebind, share);
        if (error != SocketError.Success)
        {
            TcpSocket.Close(descriptor);
        }

        return error;
    }

    /// <summary>Removes a stale UNIX socket.</summary>
    /// <returns>Why the path cannot be used.</returns>
    public static SocketError MakeRoom(string path) => SocketFile.MakeRoom(path) switch
    {
        SocketFileState.Free => SocketError.Success,
        SocketFileState.NotSocket => SocketError.NotSocket,
        SocketFileState.NotPermitted => SocketError.AccessDenied,
        _ => SocketError.AddressAlreadyInUse,
    };

    private static SysResult OpenMultipath(Endpoint endpoint, out bool lacks)
    {
        SysResult opened = TcpSocket.OpenMultipath(endpoint.Address);
        lacks = opened.Errno is Errno.EPROTONOSUPPORT or Errno.EINVAL or Errno.ENOPROTOOPT;
        return lacks ? TcpSocket.Open(endpoint) : opened;
    }

    private static SocketError BindPort(int descriptor, Endpoint endpoint, bool freebind, bool share)
    {
        if (!endpoint.Address.IsV4)
        {
            TcpSocket.SetOption(descriptor, Libc.IPPROTO_IPV6, Libc.IPV6_V6ONLY, 1);
        }

        // SO_REUSEADDR lets a restart bind over connections in TIME_WAIT; two listening sockets still exclude each other (socket(7)).
        TcpSocket.SetOption(descriptor, Libc.SOL_SOCKET, Libc.SO_REUSEADDR, 1);
        TcpSocket.SetOption(descriptor, Libc.SOL_SOCKET, Libc.SO_REUSEPORT, share ? 1 : 0);
        TcpSocket.SetOption(descriptor, Libc.IPPROTO_IP, Libc.IP_FREEBIND, freebind ? 1 : 0);
        return TcpSocket.Bind(descriptor, endpoint).Errno.ToSocketError();
    }

    private static SocketError BindUnix(int descriptor, Endpoint endpoint)
    {
        string path = endpoint.UnixPath;
        SocketError room = MakeRoom(path);
        SocketError error = room == SocketError.Success ? TcpSocket.Bind(descriptor, endpoint).Errno.ToSocketError() : room;
        if (error != SocketError.Success)
        {
            return error;
        }

        try
        {
            // Clients can connect only once it listens.
            if (!OperatingSystem.IsWindows())
            {
                File.SetUnixFileMode(path, SocketMode);
            }

            return SocketError.Success;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            new SocketFile(path).Remove();
            return SocketError.AccessDenied;
        }
    }
}
