using System.Net.Sockets;
using L4Balancer.Core.Addressing;

namespace L4Balancer.Web;

/// <summary>An address of a table of the configuration cannot be bound. The message is one line and says the mend.</summary>
/// <param name="table">As in the file: <c>[metrics]</c>.</param>
internal sealed class ListenException(string table, Endpoint listen, Exception cause) : Exception(Describe(table, listen, cause), cause)
{
    private static string Describe(string table, Endpoint listen, Exception cause) =>
        $"cannot listen on {listen} ({table} listen): " + ErrorOf(cause) switch
        {
            SocketError.AddressAlreadyInUse => "the port is in use; stop the other program (ss -ltnp shows it) or change `listen`",
            SocketError.AccessDenied => "no right to ports below 1024; choose a port above or grant CAP_NET_BIND_SERVICE",
            SocketError.AddressNotAvailable => "this host does not have the address; add it (ip addr shows all) or change `listen`",
            _ => $"{cause.Message}; change `listen`",
        };

    // Kestrel wraps some of the errors of bind(2) in exceptions of its own, others it lets through.
    private static SocketError? ErrorOf(Exception? cause) => cause switch
    {
        null => null,
        SocketException e => e.SocketErrorCode,
        _ => ErrorOf(cause.InnerException),
    };
}
