using System.Collections.Concurrent;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using L4Balancer.Core.Addressing;

namespace L4Balancer.Engine.Tests.Probing;

/// <summary>A server on loopback that does with each connection what a test says; with a certificate over TLS.</summary>
internal sealed class TalkingBackend : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly Socket _listener;
    private readonly Func<Stream, Task> _talk;
    private readonly X509Certificate2? _certificate;
    private readonly CancellationTokenSource _end = new();
    private readonly Task _accepting;
    private readonly BlockingCollection<string> _names = [];
    private readonly BlockingCollection<Exception?> _ends = [];

    public TalkingBackend(Func<Stream, Task> talk, X509Certificate2? certificate = null)
    {
        _talk = talk;
        _certificate = certificate;
        _listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _listener.Listen(100);
        Endpoint = Endpoint.From((IPEndPoint)_listener.LocalEndPoint!);
        _accepting = AcceptAsync();
    }

    public Endpoint Endpoint { get; }


    /// <summary>Answers every request with these bytes, and closes.</summary>
    public static Func<Stream, Task> Answering(string bytes) => async stream =>
    {
        await ReadHeadAsync(stream);
        await stream.WriteAsync(Encoding.Latin1.GetBytes(bytes));
    };

    /// <returns>A request up to its empty line; what has come of it where the client ended before.</returns>
    public static async Task<string> ReadHeadAsync(Stream stream)
    {
        var text = new StringBuilder();
        var one = new byte[1];
        while (!text.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal) && await stream.ReadAsync(one) == 1)
        {
            text.Append((char)one[0]);
        }

        return text.ToString();
    }

    /// <summary>The name that the next client has asked for by SNI; empty where it did not.</summary>
    public string NextName()
    {
        Assert.That(_names.TryTake(out string? name, Patience), "No handshake was completed in time.");
        return name!;
    }

    /// <summary>How the next connection ended on this side: null for an end without a fault.</summary>
    public Exception? NextEnd()
    {
        Assert.That(_ends.TryTake(out Exception? end, Patience), "No connection ended in time.");
        return end;
    }

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        _listener.Dispose();
        await _accepting;
        _end.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                _ = ServeAsync(await _listener.AcceptAsync(_end.Token));
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    private async Task ServeAsync(Socket socket)
    {
        using CancellationTokenRegistration end = _end.Token.Register(socket.Dispose);
        using Stream plain = new NetworkStream(socket, ownsSocket: true);
        Exception? fault = null;
        try
        {
            if (_certificate is null)
            {
                await _talk(plain);
            }
            else
            {
                using var tls = new SslStream(plain);
                await tls.AuthenticateAsServerAsync(new SslServerAuthenticationOptions { ServerCertificate = _certificate });
                _names.Add(tls.TargetHostName);
                await _talk(tls);
                await tls.ShutdownAsync();
            }
        }
        catch (Exception e)
        {
            fault = e;
        }

        _ends.Add(fault);
    }
}
