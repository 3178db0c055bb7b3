using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.SignalR;
using Microsoft.Extensions.DependencyInjection;

namespace L4Balancer.Tests.EndToEnd;

/// <summary>
/// A SignalR server over HTTP in the tests' own process. Its hub sends each client the server's name; it knows only its own sessions.
/// </summary>
internal sealed class SignalRBackend : IAsyncDisposable
{
    private readonly WebApplication _app;

    private SignalRBackend(WebApplication app) => _app = app;

    public int Port => new Uri(_app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single()).Port;

    public static async Task<SignalRBackend> StartAsync(string name)
    {
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(
            kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http1));
        builder.Services.AddRouting();
        builder.Services.AddSignalR();
        builder.Services.AddSingleton(new ServerName(name));
        WebApplication app = builder.Build();
        app.UseRouting();
        app.MapHub<NamingHub>("/hub");
        await app.StartAsync();
        return new SignalRBackend(app);
    }

    public async ValueTask DisposeAsync()
    {
        using var now = new CancellationTokenSource(TimeSpan.Zero);
        await _app.StopAsync(now.Token);
        await _app.DisposeAsync();
    }

    private sealed record ServerName(string Text);

    private sealed class NamingHub(ServerName name) : Hub
    {
        public override Task OnConnectedAsync() => Clients.Caller.SendAsync("backend", name.Text);
    }
}
