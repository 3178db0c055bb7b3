using System.Net;
using System.Net.Sockets;
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
/// <c>[metrics] listen</c>: the exporter's own listener on the addresses that it serves, and on every other (IPv6, an address of a network)
/// a web host with the same text.
/// </summary>
internal sealed class MetricsServer : IAsyncDisposable
{
    private const int MostConnections = 64;
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
    /// <exception cref="ListenException">The address cannot be bound.</exception>
    public static async Task<MetricsServer> StartAsync(
        Endpoint listen, BalancerMetrics metrics, PrometheusEndpoint endpoint, ILoggerFactory loggers)
    {
        MetricsServer server = MetricsListener.Serves(listen)
            ? new MetricsServer(MetricsListener.Start(listen, metrics, out IPEndPoint bound), bound)
            : new MetricsServer(await StartHostAsync(listen, endpoint, loggers));
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

    private static async Task<WebApplication> StartHostAsync(Endpoint listen, PrometheusEndpoint endpoint, ILoggerFactory loggers)
    {
        WebApplicationBuilder builder = QuietHost.CreateBuilder(loggers);
        builder.WebHost.UseKestrelCore().ConfigureKestrel(options => Bound(options, listen.ToIPEndPoint()));
        WebApplication app = builder.Build();
        app.Run(http => AnswerAsync(http, endpoint));
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
        options.Listen(endpoint, listen => listen.Protocols = HttpProtocols.Http1);
    }

    private static Task AnswerAsync(HttpContext http, PrometheusEndpoint endpoint)
    {
        HttpResponse response = http.Response;
        if (http.Request.Path != Path)
        {
            response.StatusCode = StatusCodes.Status404NotFound;
            return response.WriteAsync("metrics are at /metrics\n");
        }

        if (!HttpMethods.IsGet(http.Request.Method) && !HttpMethods.IsHead(http.Request.Method))
        {
            response.StatusCode = StatusCodes.Status405MethodNotAllowed;
            response.Headers.Allow = "GET, HEAD";
            return Task.CompletedTask;
        }

        return endpoint.Answer(http);
    }
}
