using System.Net.Sockets;
using System.Security.Authentication;

namespace L4Balancer.Engine.Probing;

/// <summary>Describes exceptions of the framework during an exchange with a backend, in words for an operator.</summary>
internal static class ConversationFault
{
    /// <summary>Whether the exception is an everyday network error, or the result of the prober ending the exchange itself.</summary>
    public static bool IsEveryday(Exception e) => e is IOException or AuthenticationException or ObjectDisposedException or OperationCanceledException
        or SocketException;

    public static string InWords(Exception e, ProbeStage stage) => stage == ProbeStage.Handshake ? OfHandshake(e)
        : CodeOf(e) is SocketError.ConnectionReset or SocketError.ConnectionAborted or SocketError.Shutdown ? $"reset before {Awaited(stage)}"
        : e is IOException && e.InnerException is not SocketException ? $"TLS: error before {Awaited(stage)}: {Innermost(e)}"
        : CodeOf(e) is SocketError code ? $"{code} before {Awaited(stage)}"
        : $"{e.Message} before {Awaited(stage)}";

    /// <summary>The answer that did not arrive, worded for the middle of a sentence.</summary>
    public static string Awaited(ProbeStage stage) => stage switch
    {
        ProbeStage.Handshake => "the TLS handshake",
        ProbeStage.Answer => "the answer",
        ProbeStage.Upgrade => "the answer to the upgrade",
        ProbeStage.Expected => "the expected answer",
        ProbeStage.Connack => "the CONNACK",
        _ => "the pong",
    };

    private static string OfHandshake(Exception e)
    {
        if (CodeOf(e) is SocketError.ConnectionReset or SocketError.ConnectionAborted or SocketError.Shutdown)
        {
            return "TLS: reset during the handshake";
        }

        string text = Innermost(e);

        // The messages of OpenSSL for bytes that are no TLS record, and of SslStream, which checks before OpenSSL does.
        bool noTls = text.Contains("wrong version number", StringComparison.Ordinal)
            || text.Contains("packet length too long", StringComparison.Ordinal)
            || text.Contains("http request", StringComparison.Ordinal)
            || text.Contains("frame size", StringComparison.Ordinal);
        return noTls ? "TLS: not a TLS server"
            : text.Contains("EOF", StringComparison.Ordinal) ? "TLS: closed during the handshake"
            : $"TLS: {text}";
    }

    // Only the last part of "error:0A000410:SSL routines::sslv3 alert handshake failure" is useful.
    private static string Innermost(Exception e)
    {
        while (e.InnerException is { } inner)
        {
            e = inner;
        }

        int reason = e.Message.LastIndexOf("::", StringComparison.Ordinal);
        return reason < 0 ? e.Message : e.Message[(reason + 2)..];
    }

    private static SocketError? CodeOf(Exception e) => (e as SocketException ?? e.InnerException as SocketException)?.SocketErrorCode;
}
