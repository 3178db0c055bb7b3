using System.Buffers;
using System.Net;
using System.Net.WebSockets;
using System.Security.Cryptography.X509Certificates;
using L4Balancer.Core.Addressing;
using L4Balancer.Web;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Endpoint = L4Balancer.Core.Addressing.Endpoint;

namespace L4Balancer.Demo;

/// <summary>
/// WebSocket echo servers on loopback, each on a port chosen by the kernel: the first half plain, the second half
/// with TLS. A plain GET returns the server's name, so that a browser or curl shows which server was reached.
/// </summary>
internal sealed class EchoBackends : IAsyncDisposable
{
    private const int ChunkSize = 16 * 1024;

    private readonly WebApplication _app;
    private readonly X509Certificate2 _certificate;
    private Dictionary<int, string> _names = [];

    private EchoBackends(WebApplication app, X509Certificate2 certificate)
    {
        _app = app;
        _certificate = certificate;
    }

    public IReadOnlyList<Endpoint> Plain { get; private set; } = [];

    public IReadOnlyList<Endpoint> Tls { get; private set; } = [];

    /// <param name="certificate">Disposed together with the servers.</param>
    public static async Task<EchoBackends> StartAsync(int plain, int tls, X509Certificate2 certificate)
    {
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Services.AddLogging();
        builder.Services.AddSingleton<IHostLifetime, OwnerDecides>();
        builder.WebHost.UseKestrelCore().ConfigureKestrel(options =>
        {
            for (int i = 0; i < plain + tls; i++)
            {
                bool encrypted = i >= plain;
                options.Listen(IPAddress.Loopback, 0, listen =>
                {
                    listen.Protocols = HttpProtocols.Http1;
                    if (encrypted)
                    {
                        listen.UseHttps(certificate);
                    }
                });
            }
        });
        WebApplication app = builder.Build();
        app.UseWebSockets();
        var backends = new EchoBackends(app, certificate);
        app.Run(backends.AnswerAsync);
        await app.StartAsync();
        backends.Learn();
        return backends;
    }

    /// <summary>The name of the server on this port.</summary>
    public string NameOf(Endpoint backend) => _names[backend.Port];

    public async ValueTask DisposeAsync()
    {
        // The balancer has closed all its connections by now; connections made directly to a server are not waited for.
        using var now = new CancellationTokenSource(TimeSpan.FromMilliseconds(100));
        await _app.StopAsync(now.Token);
        await _app.DisposeAsync();
        _certificate.Dispose();
    }

    private void Learn()
    {
        ICollection<string> addresses = _app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses;
        Plain = [.. Of("http")];
        Tls = [.. Of("https")];
        _names = Plain.Select((e, i) => (e.Port, Name: $"ws{i + 1}")).Concat(Tls.Select((e, i) => (e.Port, Name: $"wss{i + 1}")))
            .ToDictionary(n => (int)n.Port, n => n.Name);

        IEnumerable<Endpoint> Of(string scheme) => addresses.Select(a => new Uri(a)).Where(u => u.Scheme == scheme)
            .Select(u => new Endpoint(HostAddress.From(IPAddress.Loopback), (ushort)u.Port));
    }

    private async Task AnswerAsync(HttpContext http)
    {
        if (!http.WebSockets.IsWebSocketRequest)
        {
            http.Response.ContentType = "text/plain; charset=utf-8";
            await http.Response.WriteAsync($"hello from {_names[http.Connection.LocalPort]}; open a WebSocket here, and it echoes\n");
            return;
        }

        using WebSocket socket = await http.WebSockets.AcceptWebSocketAsync();
        try
        {
            await EchoAsync(socket);
        }
        catch (Exception e) when (e is WebSocketException or OperationCanceledException or IOException)
        {
            // Clients commonly disconnect without a close handshake.
        }
    }

    private static async Task EchoAsync(WebSocket socket)
    {
        byte[] chunk = ArrayPool<byte>.Shared.Rent(ChunkSize);
        try
        {
            while (true)
            {
                ValueWebSocketReceiveResult received = await socket.ReceiveAsync(chunk.AsMemory(), CancellationToken.None);
                if (received.MessageType == WebSocketMessageType.Close)
                {
                    await socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, CancellationToken.None);
                    return;
                }

                await socket.SendAsync(
                    chunk.AsMemory(0, received.Count), received.MessageType, received.EndOfMessage, CancellationToken.None);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(chunk);
        }
    }
}
