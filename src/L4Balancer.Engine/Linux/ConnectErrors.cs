using L4Balancer.Core.Connections;

namespace L4Balancer.Engine.Linux;

/// <summary>Classifies an errno of socket(2), bind(2) or connect(2). EADDRNOTAVAIL means different things for the last two.</summary>
internal static class ConnectErrors
{
    public static ConnectFailure OfSocket(Errno error) =>
        error == Errno.EAFNOSUPPORT ? ConnectFailure.NoSuchFamily : ConnectFailure.LocalShortage;

    public static ConnectFailure OfBind(Errno error) => error switch
    {
        Errno.EADDRNOTAVAIL => ConnectFailure.SourceUnusable,

        // Only if the port could not be deferred: bind(2) then takes a port at once, and fails when none is left.
        Errno.EADDRINUSE => ConnectFailure.NoFreePort,
        _ => ConnectFailure.LocalShortage,
    };

    /// <summary>
    /// Whether the connect had succeeded before this error occurred: Linux maps a reset to ECONNREFUSED in SYN-SENT, to EPIPE after a FIN and
    /// to ECONNRESET in every other state (net/ipv4/tcp_input.c, tcp_reset).
    /// </summary>
    public static bool IsOfConnected(Errno error) => error is Errno.ECONNRESET or Errno.EPIPE;

    public static ConnectFailure OfConnect(Errno error) => error switch
    {
        Errno.EADDRNOTAVAIL => ConnectFailure.NoFreePort,
        Errno.ETIMEDOUT => ConnectFailure.TimedOut,
        Errno.EMFILE or Errno.ENFILE or Errno.ENOBUFS or Errno.ENOMEM or Errno.EAGAIN => ConnectFailure.LocalShortage,
        Errno.EHOSTUNREACH or Errno.EHOSTDOWN or Errno.ENETUNREACH or Errno.ENETDOWN => ConnectFailure.Unreachable,
        Errno.EPERM or Errno.EACCES => ConnectFailure.NotPermitted,
        _ => ConnectFailure.Refused,
    };
}
