using System.Collections.Immutable;
using System.Net.Sockets;
using L4Balancer.Platform;
using L4Balancer.Web;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Endpoint = L4Balancer.Core.Addressing.Endpoint;

namespace L4Balancer.Metrics;

/// <summary>
/// <c>[metrics] listen</c>: a web host with the exporter's text, which limits connections, slow readers and the names under which it may be
/// requested.
/// </summary>
internal sealed class MetricsServer : IControlServer
{
    /// <summary>
    /// A few scrapers; these descriptors are in the reserve that <see cref="DescriptorBudget"/> keeps for the daemon itself.
    /// </summary>
    private const int MostConnections = 24;
    private const string Path = "/metrics";

    private static readonly RequestBounds Bounds = new(
        LargestBody: 0, LongestHead: 8 * 1024, HeadTimeout: TimeSpan.FromSeconds(5), IdleTimeout: TimeSpan.FromSeconds(130));

    private readonly KeptListener _listener;
    private readonly WebApplication _app;

    private MetricsServer(KeptListener listener, WebApplication app)
    {
        _listener = listener;
        _app = app;
        Url = $"{app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First()}{Path}";
    }

    /// <summary>Where it answers, with the port that was chosen where the configuration says 0.</summary>
    public string Url { get; }

    /// <summary>Binds and begins to answer.</summary>
    /// <param name="hosts">Returns the names of <c>[admin] hosts</c>.</param>
    /// <param name="sockets">Those that another process left, and those that it may be given.</param>
    /// <exception cref="ListenException">The address cannot be bound.</exception>
    public static async Task<MetricsServer> StartAsync(
        Endpoint listen, PrometheusEndpoint endpoint, Func<ImmutableArray<string>> hosts, TimeProvider clock, ControlSockets sockets, ILoggerFactory loggers)
    {
        ILogger log = loggers.CreateLogger<MetricsServer>();
        ControlSocket? socket = null;
        WebApplication? app = null;
        try
        {
            socket = sockets.Tcp(ControlSockets.Metrics, listen);
            var listener = new KeptListener(
                socket, new ConnectionPlaces(PlaceLimits.ForTcp("[metrics] listen", MostConnections), clock, log));
            WebApplicationBuilder builder = QuietHost.CreateBuilder(loggers);
            KeptTransport.Use(builder, loggers, listener);
            builder.WebHost.UseKestrelCore().ConfigureKestrel(options => Bound(options, listener));
            app = builder.Build();
            app.Use(ConnectionPlaces.Around);
            app.Run(http => AnswerAsync(http, endpoint, hosts()));
            await app.StartAsync();
            var server = new MetricsServer(listener, app);
            log.MetricsListening(new Uri(server.Url).Authority);
            return server;
        }
        catch (Exception e)
        {
            await (app?.DisposeAsync() ?? ValueTask.CompletedTask);
            socket?.Dispose();
            if (e is IOException or SocketException)
            {
                throw new ListenException("[metrics]", listen, e);
            }

            throw;
        }
    }

    public Task PauseAsync() => _listener.PauseAsync();

    public void Resume() => _listener.Resume();

    public async ValueTask DisposeAsync()
    {
        await QuietHost.EndAsync(_app);
        _listener.Socket.Dispose();
    }

    private static void Bound(KestrelServerOptions options, KeptListener listener)
    {
        Bounds.Apply(options);
        options.Listen(listener.EndPoint, listen =>
        {
            listen.Protocols = HttpProtocols.Http1;
            listener.Places.Limit(listen);
        });
    }

    private static async Task AnswerAsync(HttpContext http, PrometheusEndpoint endpoint, ImmutableArray<string> hosts)
    {
        HttpResponse response = http.Response;
        if (OwnSite.WhyNot(http.Request, hosts) is string foreign)
        {
            response.StatusCode = StatusCodes.Status403Forbidden;
            await response.WriteAsync($"{foreign}\n");
            return;
        }

        if (http.Request.Path != Path)
        {
            response.StatusCode = StatusCodes.Status404NotFound;
            await response.WriteAsync("metrics are at /metrics\n");
            return;
        }

        if (!HttpMethods.IsGet(http.Request.Method) && !HttpMethods.IsHead(http.Request.Method))
        {
            response.StatusCode = StatusCodes.Status405MethodNotAllowed;
            response.Headers.Allow = "GET, HEAD";
            return;
        }

        ConnectionPlace place = ConnectionPlace.Of(http)!;
        if (!place.TryBegin(isHealth: false))
        {
            response.StatusCode = StatusCodes.Status503ServiceUnavailable;
            response.Headers.RetryAfter = "5";
            return;
        }

        try
        {
            await endpoint.AnswerAsync(http);
        }
        finally
        {
            place.End();
        }
    }
}
