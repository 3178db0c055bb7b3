using System.Net.Sockets;
using L4Balancer.Core.Addressing;

namespace L4Balancer.Engine;

/// <summary>A listener that could not be bound.</summary>
/// <param name="Listener">Empty if the failure does not concern one listener; <paramref name="Endpoint"/> is meaningless then.</param>
/// <param name="Message">One line that states what is wrong and how to fix it.</param>
public sealed record ListenFailure(string Listener, Endpoint Endpoint, string Message)
{
    internal static ListenFailure OfEventLoops(string error) => new(
        "", default, $"cannot start the event loops ({error}): raise LimitNOFILE (ulimit -n) or the thread limit, or lower `workers`");

    /// <summary>Describes what bind(2) or listen(2) has said.</summary>
    public static ListenFailure From(string listener, Endpoint endpoint, SocketError error) =>
        endpoint.IsUnix ? OfUnix(listener, endpoint, error) : OfPort(listener, endpoint, error);

    private static ListenFailure OfUnix(string listener, Endpoint endpoint, SocketError error) => new(
        listener, endpoint, $"cannot listen on {endpoint} (listener {listener}): " + error switch
        {
            SocketError.AddressAlreadyInUse => "another process listens there; stop it (ss -lxp shows it) or change `bind`",
            SocketError.NotSocket => "the existing file is not a socket; remove it or change `bind`",
            SocketError.AccessDenied =>
                "no permission to make the socket, or to replace the one that is there; make its directory writable for the daemon or change `bind`",
            SocketError.AddressNotAvailable => "its directory does not exist; make it or change `bind`",
            _ => $"{new SocketException((int)error).Message}; change `bind`",
        });

    private static ListenFailure OfPort(string listener, Endpoint endpoint, SocketError error) => new(listener, endpoint, error switch
    {
        SocketError.AddressAlreadyInUse =>
            $"cannot listen on {endpoint} (listener {listener}): the port is in use; stop the other program (ss -ltnp shows it) or change `bind`",
        SocketError.AccessDenied =>
            $"cannot listen on {endpoint} (listener {listener}): no permission for ports below 1024; grant CAP_NET_BIND_SERVICE or change `bind`",
        SocketError.AddressNotAvailable =>
            $"cannot listen on {endpoint} (listener {listener}): this host does not have the address; add it (ip addr shows all), set `freebind = true` if it comes later, or change `bind`",
        SocketError.AddressFamilyNotSupported =>
            $"cannot listen on {endpoint} (listener {listener}): this host has no such address family; remove it from `bind`",
        _ => $"cannot listen on {endpoint} (listener {listener}): {new SocketException((int)error).Message}; change `bind`",
    });
}
