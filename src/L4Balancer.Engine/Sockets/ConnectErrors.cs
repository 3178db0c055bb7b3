using System.Net.Sockets;
using L4Balancer.Core.Connections;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Engine.Sockets;

/// <summary>
/// Classifies an error of socket(2), bind(2) or connect(2), for both engines and the probes. The same error means different things for
/// different calls: EADDRNOTAVAIL of bind is a missing address, of connect a missing port.
/// </summary>
internal static class ConnectErrors
{
    /// <summary>Classifies an error of socket(2) or of an option, which is never the backend's fault.</summary>
    public static ConnectFailure OfSocket(SocketError error) =>
        error == SocketError.AddressFamilyNotSupported ? ConnectFailure.NoSuchFamily : ConnectFailure.LocalShortage;

    public static ConnectFailure OfSocket(Errno error) => OfSocket(error.ToSocketError());

    public static ConnectFailure OfBind(SocketError error) => error switch
    {
        SocketError.AddressNotAvailable => ConnectFailure.SourceUnusable,

        // Only if the port could not be deferred: bind(2) then takes a port at once, and fails when none is left.
        SocketError.AddressAlreadyInUse => ConnectFailure.NoFreePort,
        _ => ConnectFailure.LocalShortage,
    };

    public static ConnectFailure OfBind(Errno error) => OfBind(error.ToSocketError());

    /// <summary>Classifies an error of connect(2), including the one that SO_ERROR holds after a non-blocking connect.</summary>
    public static ConnectFailure OfConnect(SocketError error) => error switch
    {
        // EADDRNOTAVAIL: every port of ip_local_port_range is in use for this destination.
        SocketError.AddressNotAvailable => ConnectFailure.NoFreePort,
        SocketError.TimedOut => ConnectFailure.TimedOut,

        // EMFILE and ENFILE; ENOBUFS and ENOMEM; EAGAIN (no entry in the routing cache); what has no name of its own.
        SocketError.TooManyOpenSockets or SocketError.NoBufferSpaceAvailable or SocketError.WouldBlock or SocketError.SocketError =>
            ConnectFailure.LocalShortage,
        SocketError.HostUnreachable or SocketError.HostDown or SocketError.NetworkUnreachable or SocketError.NetworkDown =>
            ConnectFailure.Unreachable,

        // EPERM and EACCES: a local policy.
        SocketError.AccessDenied => ConnectFailure.NotPermitted,
        _ => ConnectFailure.Refused,
    };

    public static ConnectFailure OfConnect(Errno error) => OfConnect(error.ToSocketError());

    /// <summary>Classifies an error of connect(2) by the kind of the target, because UNIX sockets have errors of their own (unix(7)).</summary>
    public static ConnectFailure OfConnect(SocketError error, bool isUnix) => !isUnix ? OfConnect(error) : error switch
    {
        // EAGAIN: the backend does not accept fast enough.
        SocketError.WouldBlock => ConnectFailure.QueueFull,

        // ENOENT: nothing has bound the path.
        SocketError.AddressNotAvailable => ConnectFailure.Refused,
        _ => OfConnect(error),
    };

    public static ConnectFailure OfConnect(Errno error, bool isUnix) => OfConnect(error.ToSocketError(), isUnix);

    /// <summary>
    /// Classifies an error of bind(2) to the client's own address (<c>transparent</c>), which is no fault of a source or a backend.
    /// </summary>
    public static ConnectFailure OfTransparentBind(SocketError error) => error switch
    {
        SocketError.AddressAlreadyInUse => ConnectFailure.NoFreePort,
        SocketError.NoBufferSpaceAvailable => ConnectFailure.LocalShortage,
        _ => ConnectFailure.NotTransparent,
    };

    public static ConnectFailure OfTransparentBind(Errno error) => OfTransparentBind(error.ToSocketError());

    /// <summary>
    /// Classifies an error of connect(2) from the client's own address. EINVAL: the kernel has no route from that address, 127.0.0.1 to
    /// another host for example (net/ipv4/route.c, __mkroute_output). EPERM and EACCES: a local policy. The backend has seen nothing of either.
    /// </summary>
    public static ConnectFailure OfTransparentConnect(SocketError error) =>
        error is SocketError.InvalidArgument or SocketError.AccessDenied ? ConnectFailure.NotTransparent : OfConnect(error);

    public static ConnectFailure OfTransparentConnect(Errno error) => OfTransparentConnect(error.ToSocketError());

    /// <summary>
    /// Whether the connect had succeeded before this error occurred: Linux maps a reset to ECONNREFUSED in SYN-SENT, to EPIPE after a FIN and
    /// to ECONNRESET in every other state (net/ipv4/tcp_input.c, tcp_reset).
    /// </summary>
    public static bool IsOfConnected(SocketError error) => error is SocketError.ConnectionReset or SocketError.Shutdown;

    public static bool IsOfConnected(Errno error) => IsOfConnected(error.ToSocketError());

    /// <summary>Classifies an error of recv(2), send(2) or SO_ERROR on an established connection.</summary>
    public static LossKind LossOf(SocketError error) => error is SocketError.TimedOut or SocketError.HostUnreachable
        or SocketError.HostDown or SocketError.NetworkUnreachable or SocketError.NetworkDown ? LossKind.TimedOut : LossKind.Reset;

    public static LossKind LossOf(Errno error) => LossOf(error.ToSocketError());
}
