using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;

namespace L4Balancer.Discovery;

/// <summary>A store does not answer, or answers something that cannot be used; the message says so in a few words, for operators.</summary>
internal sealed class StoreFault : Exception
{
    public StoreFault()
    {
    }

    public StoreFault(string message)
        : base(message)
    {
    }

    public StoreFault(string message, Exception inner)
        : base(message, inner)
    {
    }

    /// <summary>Whether this is what networks, stores and the files for them do, and not a mistake of this program.</summary>
    public static bool IsExpected(Exception e) =>
        e is StoreFault or IOException or SocketException or AuthenticationException or UnauthorizedAccessException or CryptographicException
            or OperationCanceledException or TimeoutException or ObjectDisposedException;

    /// <summary>In a few words and one line.</summary>
    public static string TextOf(Exception e) => e switch
    {
        StoreFault => e.Message,
        SocketException socket => TextOf(socket.SocketErrorCode),
        IOException { InnerException: SocketException socket } => TextOf(socket.SocketErrorCode),
        EndOfStreamException => "it has closed the connection",
        AuthenticationException => $"TLS: {OneLine(e.InnerException?.Message ?? e.Message)}",
        OperationCanceledException or TimeoutException => "no answer in time",
        ObjectDisposedException => "the connection is closed",
        _ => OneLine(e.Message),
    };

    private static string TextOf(SocketError error) => error switch
    {
        SocketError.ConnectionRefused => "connection refused",
        SocketError.ConnectionReset => "it has reset the connection",
        SocketError.HostNotFound or SocketError.NoData => "no such name",
        SocketError.TryAgain => "no name server answers",
        SocketError.HostUnreachable or SocketError.NetworkUnreachable => "unreachable",
        SocketError.TimedOut => "no answer in time",
        SocketError.OperationAborted or SocketError.Shutdown => "the connection is closed",
        _ => $"socket error {error}",
    };

    private static string OneLine(string text) => text.ReplaceLineEndings(" ");
}
