using System.Net;
using System.Net.Sockets;
using L4Balancer.Core.Addressing;
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

/// <summary>GET /metrics on a port of its own, and nothing else. Every request is bounded: no body, short headers, few at a time.</summary>
internal sealed class MetricsServer : IAsyncDisposable
{
    private const int MostConnections = 64;
    private const int LongestHead = 8 * 1024;
    private const string Path = "/metrics";

    private static readonly TimeSpan HeadTimeout = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan IdleTimeout = TimeSpan.FromSeconds(130);
    private static readonly TimeSpan SlowScraperGrace = TimeSpan.FromSeconds(10);

    private readonly WebApplication _app;
    private readonly MetricsEndpoint _endpoint;

    private MetricsServer(WebApplication app, MetricsEndpoint endpoint)
    {
        _app = app;
        _endpoint = endpoint;
    }

    /// <summary>Binds and begins to answer.</summary>
    /// <exception cref="ListenException">The address cannot be bound.</exception>
    public static async Task<MetricsServer> StartAsync(Endpoint listen, MetricsEndpoint endpoint, ILoggerFactory loggers)
    {
        WebApplicationBuilder builder = QuietHost.CreateBuilder(loggers);
        builder.WebHost.UseKestrelCore().ConfigureKestrel(options => Bound(options, listen.ToIPEndPoint()));
        WebApplication app = builder.Build();
        var server = new MetricsServer(app, endpoint);
        app.Run(server.AnswerAsync);
        try
        {
            await app.StartAsync();
        }
        catch (Exception e) when (e is IOException or SocketException)
        {
            await app.DisposeAsync();
            throw new ListenException("[metrics]", listen, e);
        }

        string address = app.Services.GetRequiredService<IServer>()
            .Features.Get<IServerAddressesFeature>()!.Addresses.First();
        loggers.CreateLogger<MetricsServer>().MetricsListening(new Uri(address).Authority);
        server.Url = $"{address}{Path}";
        return server;
    }

    /// <summary>Where it answers, with the port that the kernel chose where the configuration says 0.</summary>
    public string Url { get; private set; } = "";

    public ValueTask DisposeAsync() => QuietHost.EndAsync(_app);

    private static void Bound(KestrelServerOptions options, IPEndPoint endpoint)
    {
        options.AddServerHeader = false;
        options.AllowSynchronousIO = false;
        options.Limits.MaxConcurrentConnections = MostConnections;
        options.Limits.MaxRequestBodySize = 0;
        options.Limits.MaxRequestHeadersTotalSize = LongestHead;
        options.Limits.MaxRequestLineSize = LongestHead;
        options.Limits.MaxRequestHeaderCount = 64;
        options.Limits.RequestHeadersTimeout = HeadTimeout;
        options.Limits.KeepAliveTimeout = IdleTimeout;
        options.Limits.MinResponseDataRate = new MinDataRate(MetricsEndpoint.SlowestScraper, SlowScraperGrace);
        options.Listen(endpoint, listen => listen.Protocols = HttpProtocols.Http1);
    }

    private async Task AnswerAsync(HttpContext http)
    {
        HttpResponse response = http.Response;
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

        await _endpoint.AnswerAsync(http);
    }
}
