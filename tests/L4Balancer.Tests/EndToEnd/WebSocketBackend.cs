using System.Net;
using System.Net.WebSockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;

namespace L4Balancer.Tests.EndToEnd;

/// <summary>An ASP.NET Core WebSocket echo server over TLS in the tests' own process. A response header contains its name.</summary>
internal sealed class WebSocketBackend : IAsyncDisposable
{
    public const string NameHeader = "X-Backend";

    private readonly WebApplication _app;
    private volatile bool _isDeaf;

    private WebSocketBackend(string name, BackendCertificate certificate, WebApplication app)
    {
        Name = name;
        Certificate = certificate;
        _app = app;
    }

    public string Name { get; }

    public BackendCertificate Certificate { get; }

    /// <summary>Whether new connections are accepted and then never read: not even their pings are answered.</summary>
    public bool IsDeaf
    {
        get => _isDeaf;
        set => _isDeaf = value;
    }

    public int Port => new Uri(_app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single()).Port;

    public static async Task<WebSocketBackend> StartAsync(string name)
    {
        var certificate = new BackendCertificate(name);
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen =>
        {
            listen.Protocols = HttpProtocols.Http1;
            listen.UseHttps(certificate.Certificate);
        }));
        WebApplication app = builder.Build();
        app.UseWebSockets();
        var backend = new WebSocketBackend(name, certificate, app);
        app.Run(backend.EchoAsync);
        await app.StartAsync();
        return backend;
    }

    public async ValueTask DisposeAsync()
    {
        using var now = new CancellationTokenSource(TimeSpan.Zero);
        await _app.StopAsync(now.Token);
        await _app.DisposeAsync();
        Certificate.Dispose();
    }

    private async Task EchoAsync(HttpContext http)
    {
        http.Response.Headers[NameHeader] = Name;
        using WebSocket socket = await http.WebSockets.AcceptWebSocketAsync();
        if (IsDeaf)
        {
            // Nothing is read any more, so that nothing answers, until the peer has left.
            var left = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            await using CancellationTokenRegistration leaving = http.RequestAborted.Register(left.SetResult);
            await left.Task;
            return;
        }

        var chunk = new byte[32 * 1024];
        while (await socket.ReceiveAsync(chunk.AsMemory(), http.RequestAborted) is { MessageType: not WebSocketMessageType.Close } received)
        {
            await socket.SendAsync(chunk.AsMemory(0, received.Count), received.MessageType, received.EndOfMessage, http.RequestAborted);
        }

        await socket.CloseOutputAsync(socket.CloseStatus!.Value, socket.CloseStatusDescription, http.RequestAborted);
    }
}
