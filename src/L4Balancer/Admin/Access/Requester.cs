using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;

namespace L4Balancer.Admin.Access;

/// <summary>The peer of a connection to the admin API.</summary>
/// <param name="IsLocal">Whether it came over the local socket.</param>
/// <param name="IsLoopback">Whether it came over TCP from a loopback address.</param>
/// <param name="Name">For the log: <c>uid 1000 (pid 4242)</c>, or the peer's address.</param>
internal sealed record Requester(bool IsLocal, bool IsLoopback, string Name)
{
    // socket(7): SO_PEERCRED gives struct ucred, three ints; the numbers are those of x86-64 and arm64.
    private const int SOL_SOCKET = 1;
    private const int SO_PEERCRED = 17;

    /// <summary>The user id of a peer on the local socket; null if it is not known.</summary>
    public uint? User { get; private init; }

    private static readonly Requester Unknown = new(false, false, "unknown");
    private static readonly Requester Local = new(true, false, "local socket");

    /// <summary>The requester of a request; a connection without one has no rights.</summary>
    public static Requester Of(HttpContext http) => http.Features.Get<Requester>() ?? Unknown;

    public static Requester OfLocal(ConnectionContext connection) =>
        connection.Features.Get<IConnectionSocketFeature>()?.Socket is Socket socket ? Credentials(socket) : Local;

    public static Requester OfTcp(ConnectionContext connection) => connection.RemoteEndPoint is IPEndPoint peer
        ? new(false, IPAddress.IsLoopback(peer.Address.IsIPv4MappedToIPv6 ? peer.Address.MapToIPv4() : peer.Address), peer.ToString())
        : Unknown;

    private static Requester Credentials(Socket socket)
    {
        if (!OperatingSystem.IsLinux())
        {
            return Local;
        }

        Span<byte> ucred = stackalloc byte[12];
        try
        {
            socket.GetRawSocketOption(SOL_SOCKET, SO_PEERCRED, ucred);
        }
        catch (SocketException)
        {
            return Local;
        }

        int pid = MemoryMarshal.Read<int>(ucred);
        uint uid = MemoryMarshal.Read<uint>(ucred[sizeof(int)..]);
        return Local with { Name = string.Create(CultureInfo.InvariantCulture, $"uid {uid} (pid {pid})"), User = uid };
    }
}
