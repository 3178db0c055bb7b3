using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;

namespace L4Balancer.Demo;

/// <summary>
/// The configuration of the demo: a listener and a pool for ws and for wss, probes, metrics, the status page, and a log line per
/// connection.
/// </summary>
internal static class DemoConfig
{
    private static readonly HostAddress Loopback = HostAddress.FromV4(0x7F00_0001);

    /// <param name="port">The port for ws; wss uses the next one. 0: the kernel chooses both.</param>
    /// <param name="tokenFile">The file with the token for changes on the status page.</param>
    public static BalancerConfig Of(EchoBackends backends, ushort port, string tokenFile) => new()
    {
        Admin = new AdminSettings { Listen = new Endpoint(Loopback, 0), TokenFile = tokenFile },
        Balancer = new BalancerSettings { ShutdownGrace = TimeSpan.FromSeconds(1), AccessLog = AccessLogMode.All },
        Metrics = new MetricsSettings { Listen = new Endpoint(Loopback, 0) },
        Listeners = [Listener("ws", port), Listener("wss", (ushort)(port == 0 ? 0 : port + 1))],
        Pools = [Pool("ws", backends.Plain, backends), Pool("wss", backends.Tls, backends)],
    };

    private static ListenerSettings Listener(string name, ushort port) =>
        new() { Name = name, Bind = [new Endpoint(Loopback, port)], Pool = name };

    private static PoolSettings Pool(string name, IEnumerable<Endpoint> endpoints, EchoBackends backends) => new()
    {
        Name = name,
        Backends =
        [
            .. endpoints.Select(e => new BackendSettings { Name = backends.NameOf(e), Address = e.ToString(), Endpoint = e }),
        ],
    };
}
