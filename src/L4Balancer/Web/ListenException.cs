using System.Net;
using System.Net.Sockets;
using L4Balancer.Core.Addressing;

namespace L4Balancer.Web;

/// <summary>A configured address cannot be bound. The message is one line and includes the remedy.</summary>
/// <param name="table">The table as written in the file: <c>[metrics]</c>.</param>
/// <param name="users">Which command shows the program that has the port.</param>
internal sealed class ListenException(string table, Endpoint listen, Exception cause, string users = ListenException.TcpUsers)
    : Exception(Describe(table, listen, cause, users), cause)
{
    private const string TcpUsers = "ss -ltnp shows it";

    /// <summary>What bind(2) said; null where it was something else.</summary>
    public SocketError? Error { get; } = ErrorOf(cause);

    private static string Describe(string table, Endpoint listen, Exception cause, string users) =>
        $"cannot listen on {listen} ({table} listen): " + ErrorOf(cause) switch
        {
            SocketError.AddressAlreadyInUse => $"the port is in use; stop the other program ({users}) or change `listen`",
            SocketError.AccessDenied => "no permission for ports below 1024; use a higher port or grant CAP_NET_BIND_SERVICE",
            SocketError.AddressNotAvailable => "this host does not have the address; add it (ip addr shows all) or change `listen`",
            _ => $"{cause.Message}; change `listen`",
        };

    // Kestrel wraps some errors of bind(2) in its own exceptions and passes others through. HttpListener keeps the errno.
    private static SocketError? ErrorOf(Exception? cause) => cause switch
    {
        null => null,
        SocketException e => e.SocketErrorCode,
        HttpListenerException e => OfErrno(e.ErrorCode),
        _ => ErrorOf(cause.InnerException),
    };

    private static SocketError? OfErrno(int errno) => errno switch
    {
        13 => SocketError.AccessDenied,
        98 => SocketError.AddressAlreadyInUse,
        99 => SocketError.AddressNotAvailable,
        _ => null,
    };
}
