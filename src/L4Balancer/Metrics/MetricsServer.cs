using System.Collections.Immutable;
using System.Net;
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
/// <c>[metrics] listen</c>: the exporter's own listener on the loopback of IPv4, and on every other address a web host with the same text,
/// which limits connections, slow readers and the names under which it may be requested.
/// </summary>
internal sealed class MetricsServer : IAsyncDisposable
{
    /// <summary>
    /// A few scrapers; these descriptors are in the reserve that <see cref="DescriptorBudget"/> keeps for the daemon itself.
    /// </summary>
    private const int MostConnections = 24;
    private const int LongestHead = 8 * 1024;
    private const string Path = "/metrics";

    private static readonly TimeSpan HeadTimeout = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan IdleTimeout = TimeSpan.FromSeconds(130);

    private readonly MetricsPipeline? _listener;
    private readonly WebApplication? _app;

    private MetricsServer(MetricsPipeline listener, IPEndPoint bound)
    {
        _listener = listener;
        Url = $"http://{bound}{Path}";
    }

    private MetricsServer(WebApplication app)
    {
        _app = app;
        Url = $"{app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First()}{Path}";
    }

    /// <summary>Where it answers, with the port that was chosen where the configuration says 0.</summary>
    public string Url { get; }

    /// <summary>Binds and begins to answer.</summary>
    /// <param name="endpoint">Answers on the web host.</param>
    /// <param name="hosts">Returns the names of <c>[admin] hosts</c>. The exporter's own listener serves none of them.</param>
    /// <exception cref="ListenException">The address cannot be bound.</exception>
    public static async Task<MetricsServer> StartAsync(
        Endpoint listen, BalancerMetrics metrics, PrometheusEndpoint endpoint, Func<ImmutableArray<string>> hosts, ILoggerFactory loggers)
    {
        MetricsServer server = MetricsListener.Serves(listen) && hosts().IsEmpty
            ? new MetricsServer(MetricsListener.Start(listen, metrics, out IPEndPoint bound), bound)
            : new MetricsServer(await StartHostAsync(listen, endpoint, hosts, metrics.Clock, loggers));
        loggers.CreateLogger<MetricsServer>().MetricsListening(new Uri(server.Url).Authority);
        return server;
    }

    public async ValueTask DisposeAsync()
    {
        if (_app is not null)
        {
            await QuietHost.EndAsync(_app);
        }

        _listener?.Dispose();
    }

    private static async Task<WebApplication> StartHostAsync(
        Endpoint listen, PrometheusEndpoint endpoint, Func<ImmutableArray<string>> hosts, TimeProvider clock, ILoggerFactory loggers)
    {
        WebApplicationBuilder builder = QuietHost.CreateBuilder(loggers);
        var places = new ConnectionPlaces(
            PlaceLimits.ForTcp("[metrics] listen", MostConnections), clock, loggers.CreateLogger<MetricsServer>());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(options => Bound(options, listen.ToIPEndPoint(), places));
        WebApplication app = builder.Build();
        app.Run(http => AnswerAsync(http, endpoint, hosts()));
        try
        {
            await app.StartAsync();
            return app;
        }
        catch (Exception e) when (e is IOException or SocketException)
        {
            await app.DisposeAsync();
            throw new ListenException("[metrics]", listen, e);
        }
    }

    private static void Bound(KestrelServerOptions options, IPEndPoint endpoint, ConnectionPlaces places)
    {
        options.AddServerHeader = false;
        options.AllowSynchronousIO = false;
        options.Limits.MaxRequestBodySize = 0;
        options.Limits.MaxRequestHeadersTotalSize = LongestHead;
        options.Limits.MaxRequestLineSize = LongestHead;
        options.Limits.MaxRequestHeaderCount = 64;
        options.Limits.RequestHeadersTimeout = HeadTimeout;
        options.Limits.KeepAliveTimeout = IdleTimeout;
        options.Limits.MinResponseDataRate = QuietHost.SlowestReader;
        options.Listen(endpoint, listen =>
        {
            listen.Protocols = HttpProtocols.Http1;
            places.Limit(listen);
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
