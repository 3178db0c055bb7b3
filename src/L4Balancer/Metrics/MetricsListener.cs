using System.Net;
using System.Net.Sockets;
using L4Balancer.Web;
using OpenTelemetry.Metrics;
using Endpoint = L4Balancer.Core.Addressing.Endpoint;

namespace L4Balancer.Metrics;

/// <summary>
/// <c>/metrics</c> by the exporter's own server, an <see cref="HttpListener"/>. .NET implements that on Linux for IPv4, and an address
/// answers only requests whose Host header has this address or a name that was registered with it.
/// </summary>
internal static class MetricsListener
{
    private const string Path = "/metrics/";

    /// <summary>The port that was free a moment ago can be taken by another program.</summary>
    private const int Attempts = 5;

    /// <summary>Plenty for a reader on the same host. One that does not read holds up the others for as long.</summary>
    private static readonly TimeSpan LongestAnswer = TimeSpan.FromSeconds(5);

    /// <summary>
    /// Whether it serves this address: only the loopback of IPv4. It has no limits of connections and slow readers, on all addresses
    /// (0.0.0.0) it does not compare Host, and on one address of a network it answers to no name.
    /// </summary>
    public static bool Serves(Endpoint listen) => listen.Address.IsV4 && listen.Address.IsLoopback;

    /// <summary>Binds and begins to answer.</summary>
    /// <param name="bound">Where it listens, with the port that was free where the configuration says 0.</param>
    /// <exception cref="ListenException">The address cannot be bound.</exception>
    public static MetricsPipeline Start(Endpoint listen, BalancerMetrics metrics, out IPEndPoint bound)
    {
        for (int attempt = 1; ; attempt++)
        {
            try
            {
                bound = listen.ToIPEndPoint();
                bound.Port = listen.Port == 0 ? FreePort(bound) : listen.Port;
                return Start(bound, metrics);
            }
            catch (InvalidOperationException e) when (e.InnerException is HttpListenerException)
            {
                var failure = new ListenException("[metrics]", listen, e);
                if (listen.Port != 0 || failure.Error != SocketError.AddressAlreadyInUse || attempt == Attempts)
                {
                    throw failure;
                }
            }
        }
    }

    private static MetricsPipeline Start(IPEndPoint endpoint, BalancerMetrics metrics) =>
        new(metrics, "Listener", builder => builder.AddPrometheusHttpListener(options =>
        {
            options.Host = endpoint.Address.ToString();
            options.Port = endpoint.Port;
            options.ScopeInfoEnabled = false;
            options.TargetInfoEnabled = false;
            options.ScrapeResponseCacheDurationMilliseconds = 0;
            options.ScrapeResponseTimeoutMilliseconds = (int)LongestAnswer.TotalMilliseconds;
            options.ConfigureHttpListener = (_, listener) => Register(listener.Prefixes, endpoint);
        }));

    private static void Register(HttpListenerPrefixCollection prefixes, IPEndPoint endpoint)
    {
        if (Resolves("localhost", endpoint.Address))
        {
            prefixes.Add($"http://localhost:{endpoint.Port}{Path}");
        }
    }

    // The listener binds a name to the first address that it stands for, which must not be another one than the configured.
    private static bool Resolves(string name, IPAddress address)
    {
        try
        {
            return Dns.GetHostAddresses(name) is [var first, ..] && first.Equals(address);
        }
        catch (SocketException)
        {
            return false;
        }
    }

    // A prefix takes no port 0.
    private static int FreePort(IPEndPoint endpoint)
    {
        using var probe = new Socket(endpoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        probe.Bind(new IPEndPoint(endpoint.Address, 0));
        return ((IPEndPoint)probe.LocalEndPoint!).Port;
    }
}
