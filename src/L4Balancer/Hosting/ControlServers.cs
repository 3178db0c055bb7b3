using System.Runtime.Versioning;
using L4Balancer.Admin;
using L4Balancer.Control;
using L4Balancer.Core.Config;
using L4Balancer.Core.Dns;
using L4Balancer.Core.Routing;
using L4Balancer.Direct;
using L4Balancer.Engine;
using L4Balancer.Fleet;
using L4Balancer.Logging;
using L4Balancer.Metrics;
using L4Balancer.NameServer;
using L4Balancer.Packets;
using L4Balancer.Platform;
using L4Balancer.Systemd;
using L4Balancer.Upgrade;
using L4Balancer.Web;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Hosting;

/// <summary>
/// Everything that listens beside the data plane: metrics, the admin API with the page, the endpoint API and DNS. Each start returns null,
/// or why the address cannot be served. What is started is owned by the daemon, which disposes of it. One thread at a time.
/// </summary>
internal sealed class ControlServers(ServiceReport service, OwnedResources parts, TimeProvider clock, ILoggerFactory loggers)
{
    private static readonly TimeSpan FirstPush = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan BetweenPushes = TimeSpan.FromMinutes(1);

    private readonly List<IControlServer> _servers = [];
    private PrometheusEndpoint? _metricsEndpoint;
    private MetricsServer? _metricsServer;
    private AdminServer? _admin;
    private EndpointDesk? _endpoints;
    private EndpointServer? _endpointServer;
    private ZoneServer? _zone;

    /// <summary>Their listening sockets. Those that another process left are put here before the first start.</summary>
    public ControlSockets Sockets { get; set; } = new([], loggers.CreateLogger<ControlSockets>());

    /// <summary>Null if nobody can ask for them.</summary>
    public BalancerMetrics? Metrics { get; private set; }

    /// <summary>Null if there is no metrics listener.</summary>
    public string? MetricsUrl => _metricsServer?.Url;

    /// <summary>The status page; null if the admin API is not on TCP.</summary>
    public string? PageUrl => _admin?.Url;

    /// <summary>Metrics start first and end last, so that the connections which the engine closes at its end are counted.</summary>
    /// <param name="metrics">Creates what they are made of, if they are wanted.</param>
    /// <param name="created">Called before anybody can ask for them; with null if there are none.</param>
    /// <param name="now">The configuration in force, which is another one after a reload.</param>
    public async Task<string?> StartMetricsAsync(
        BalancerConfig config, Func<BalancerMetrics> metrics, Action<BalancerMetrics?> created, Func<BalancerConfig> now)
    {
        parts.Own(Sockets);
        if (config.Metrics is null && !AdminServer.IsWanted(config.Admin))
        {
            created(null);
            return null;
        }

        parts.Own(Metrics = metrics());
        created(Metrics);
        if (config.Metrics?.Otlp is Uri collector)
        {
            parts.Own(new OtlpPush(collector, Metrics, FirstPush, BetweenPushes, loggers.CreateLogger<OtlpPush>()));
        }

        var endpoint = new PrometheusEndpoint(Metrics);
        parts.Own(endpoint);
        _metricsEndpoint = endpoint;
        return config.Metrics is null ? null : await ListeningAsync(async () => Own(_metricsServer =
            await MetricsServer.StartAsync(config.Metrics.Listen, endpoint, () => now().Admin.Hosts, clock, Sockets, loggers)));
    }

    /// <summary>Without [endpoint] there is a desk nevertheless: the admin API shows what clients would be handed.</summary>
    public async Task<string?> StartEndpointsAsync(
        BalancerControl control, DesiredState desired, DescriptorBudget budget, CancellationToken hurry)
    {
        EndpointDesk desk = _endpoints = new EndpointDesk(() => control.Snapshot, () => control.Config.Endpoint, clock, desired.Seed);
        return desired.File.Endpoint is not EndpointSettings settings ? null : await ListeningAsync(async () => Own(_endpointServer =
            await EndpointServer.StartAsync(settings, desk, budget.Limit, clock, Sockets, loggers, hurry)));
    }

    public async Task<string?> StartAdminAsync(
        AdminSettings settings, BalancerControl control, IEngine engine, FleetService? fleet, Func<PacketTotals> packets, Upgrader upgrader, RecentLines lines, CancellationToken hurry)
    {
        if (_metricsEndpoint is null)
        {
            return null;
        }

        var history = new TrafficHistory(() => TrafficTotals.Of(control.Snapshot), clock);
        parts.Own(new PeriodicJob("sampling the history", TrafficHistory.Interval, clock, loggers.CreateLogger<TrafficHistory>(), history.Sample));
        var target = new AdminTarget(
            control, engine, _metricsEndpoint, lines, clock, clock.GetUtcNow(), () => !service.IsDraining, _endpoints!, history)
        { Fleet = fleet, Packets = packets, Upgrader = upgrader };
        return await ListeningAsync(async () => Own(_admin = await AdminServer.StartAsync(settings, target, Sockets, loggers, hurry)));
    }

    /// <param name="counters">Null if DNS is not served.</param>
    public async Task<string?> StartDnsAsync(BalancerControl control, FleetService? fleet, DnsCounters? counters, ulong seed) =>
        counters is not null && OperatingSystem.IsLinux() ? await ServeDnsAsync(control, fleet, counters, seed) : null;

    [SupportedOSPlatform("linux")]
    private async Task<string?> ServeDnsAsync(BalancerControl control, FleetService? fleet, DnsCounters counters, ulong seed)
    {
        DnsSettings Settings() => control.Config.Dns!;
        IBalancerAddresses balancers = fleet is null
            ? new OwnAddresses(Settings) : new FleetAddresses(fleet, () => Settings().Address, () => !service.IsDraining);
        var view = new DnsView(() => control.Snapshot, Settings, balancers, clock);
        return await ListeningAsync(async () => Own(_zone =
            await ZoneServer.StartAsync(Settings, view, counters, seed, clock, Sockets, loggers)));
    }

    /// <summary>Nothing is answered from its completion on; clients wait in the queues of the sockets. To be followed by a resume or the end.</summary>
    public Task PauseAsync() => Task.WhenAll(_servers.Select(static s => s.PauseAsync()));

    /// <summary>The hand-over has failed: all go on.</summary>
    public void Resume() => _servers.ForEach(static s => s.Resume());

    /// <summary>Reads the files that the servers need, anew; the returned action puts them in force.</summary>
    public Action ReadDependencies(BalancerConfig config)
    {
        Action? token = _admin?.ReadToken(config);
        Action? secret = _endpointServer?.ReadSecret(config);
        return () =>
        {
            token?.Invoke();
            secret?.Invoke();
        };
    }

    /// <summary>Another configuration is in force.</summary>
    public void Reloaded(BalancerConfig config)
    {
        if (OperatingSystem.IsLinux())
        {
            _zone?.Check(config.Dns!);
        }
    }

    /// <summary>
    /// Before the engine stops: a name server that knows no address but its own, where nothing listens from now on, stops as well. A
    /// resolver that gets no answer asks the next name server.
    /// </summary>
    public async Task EndOwnAddressAsync(bool hasFleet)
    {
        if (_zone is not null && !hasFleet && OperatingSystem.IsLinux())
        {
            await _zone.DisposeAsync();
        }
    }

    private void Own(IControlServer server)
    {
        parts.Own(server);
        _servers.Add(server);
    }

    private static async Task<string?> ListeningAsync(Func<Task> start)
    {
        try
        {
            await start();
            return null;
        }
        catch (Exception e) when (e is ListenException or InvalidDataException)
        {
            return e.Message;
        }
    }
}
