using L4Balancer.Core.Addressing;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Engine.Epoll;

internal static class ListenFailures
{
    public static ListenFailure From(string listener, Endpoint endpoint, Errno error) => ListenFailure.From(listener, endpoint, error switch
    {
        Errno.EADDRINUSE => System.Net.Sockets.SocketError.AddressAlreadyInUse,
        Errno.EACCES => System.Net.Sockets.SocketError.AccessDenied,
        Errno.EADDRNOTAVAIL => System.Net.Sockets.SocketError.AddressNotAvailable,
        Errno.EAFNOSUPPORT => System.Net.Sockets.SocketError.AddressFamilyNotSupported,
        Errno.EMFILE or Errno.ENFILE => System.Net.Sockets.SocketError.TooManyOpenSockets,
        _ => System.Net.Sockets.SocketError.SocketError,
    });
}
