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

    private static SocketError? ErrorOf(Exception? cause) => cause switch
    {
        null => null,
        SocketException e => e.SocketErrorCode,
        _ => ErrorOf(cause.InnerException),
    };
}
