using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace L4Balancer.Bench.Control;

/// <summary>
/// Whom <c>wss</c> probes talk to: TLS, the upgrade (RFC 6455, 4.2.2), and a WebSocket of the framework, which answers pings. On every
/// address of 127.0.0.0/8, so that one server is many backends.
/// </summary>
internal sealed class WebSocketBackend(ushort port)
{
    /// <summary>RFC 6455, 1.3: what the server's answer is hashed with.</summary>
    private const string KeyGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

    private const string KeyField = "\r\nSec-WebSocket-Key: ";
    private const int LongestHead = 8192;

    private readonly SslStreamCertificateContext _certificate = SslStreamCertificateContext.Create(SelfSigned(), null, offline: true);

    /// <summary>Runs until the process ends.</summary>
    public async Task RunAsync()
    {
        using var listener = new TcpListener(IPAddress.Any, port);
        listener.Start(4096);
        while (true)
        {
            _ = ServeAsync(await listener.AcceptTcpClientAsync().ConfigureAwait(false));
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        try
        {
            using TcpClient connection = client;
            var tls = new SslStream(client.GetStream());
            await using (tls.ConfigureAwait(false))
            {
                await tls.AuthenticateAsServerAsync(new SslServerAuthenticationOptions { ServerCertificateContext = _certificate }).ConfigureAwait(false);
                await tls.WriteAsync(Encoding.ASCII.GetBytes(Answer(await HeadAsync(tls).ConfigureAwait(false)))).ConfigureAwait(false);
                using var socket = WebSocket.CreateFromStream(tls, new WebSocketCreationOptions { IsServer = true });
                while ((await socket.ReceiveAsync(new byte[256], CancellationToken.None).ConfigureAwait(false)).MessageType != WebSocketMessageType.Close)
                {
                }
            }
        }
        catch (Exception e) when (e is IOException or WebSocketException or SocketException or System.Security.Authentication.AuthenticationException)
        {
            // A probe may end as it likes.
        }
    }

    private static async Task<string> HeadAsync(SslStream tls)
    {
        var head = new StringBuilder();
        byte[] buffer = new byte[1024];
        while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal))
        {
            int count = await tls.ReadAsync(buffer).ConfigureAwait(false);
            if (count == 0 || head.Length > LongestHead)
            {
                throw new IOException("no request");
            }

            head.Append(Encoding.ASCII.GetString(buffer, 0, count));
        }

        return head.ToString();
    }

    private static string Answer(string head)
    {
        int at = head.IndexOf(KeyField, StringComparison.OrdinalIgnoreCase) + KeyField.Length;
        string key = head[at..head.IndexOf('\r', at)];
#pragma warning disable CA5350 // The protocol asks for it, and nothing is kept secret by it.
        string accept = Convert.ToBase64String(SHA1.HashData(Encoding.ASCII.GetBytes(key + KeyGuid)));
#pragma warning restore CA5350
        return $"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {accept}\r\n\r\n";
    }

    private static X509Certificate2 SelfSigned()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=bench", key, HashAlgorithmName.SHA256);
        return request.CreateSelfSigned(DateTimeOffset.UtcNow.AddHours(-1), DateTimeOffset.UtcNow.AddDays(1));
    }
}
