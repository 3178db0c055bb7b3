using System.Net.Sockets;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Engine.Epoll;

/// <summary>Maps an errno of socket(2), bind(2) or listen(2) to its .NET name, as far as messages distinguish it.</summary>
internal static class BindErrors
{
    public static SocketError Of(Errno error) => error switch
    {
        Errno.EADDRINUSE => SocketError.AddressAlreadyInUse,
        Errno.EACCES => SocketError.AccessDenied,
        Errno.EADDRNOTAVAIL => SocketError.AddressNotAvailable,
        Errno.EAFNOSUPPORT => SocketError.AddressFamilyNotSupported,
        Errno.EMFILE or Errno.ENFILE => SocketError.TooManyOpenSockets,
        _ => SocketError.SocketError,
    };
}
