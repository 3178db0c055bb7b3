using System.Collections.Immutable;
using System.Runtime.InteropServices;
using System.Runtime.Versioning;
using L4Balancer.AccessLog;
using L4Balancer.Admin;
using L4Balancer.Configuration;
using L4Balancer.Control;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Dns;
using L4Balancer.Core.Fleet;
using L4Balancer.Core.Routing;
using L4Balancer.Direct;
using L4Balancer.Discovery;
using L4Balancer.Discovery.Sources;
using L4Balancer.Engine;
using L4Balancer.Fleet;
using L4Balancer.Logging;
using L4Balancer.Metrics;
using L4Balancer.NameServer;
using L4Balancer.Platform;
using L4Balancer.Resolving;
using L4Balancer.Systemd;
using L4Balancer.Web;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Hosting;

/// <summary>
/// One running balancer: the engine, its inputs (control, health) and its outputs (log, metrics). <see cref="StartAsync"/> creates the
/// parts; they are disposed of in the reverse order.
/// </summary>
internal sealed class Daemon : IAsyncDisposable
{
    private static readonly TimeSpan FirstPush = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan BetweenPushes = TimeSpan.FromMinutes(1);

    /// <summary>Without <c>held_memory</c> connections may hold this part of the memory for peers that do not read: an eighth.</summary>
    private const int ShareOfMemory = 8;

    private readonly TimeProvider _clock;
    private readonly LogOutput _output;
    private readonly LevelSwitch _level;
    private readonly ILoggerFactory _loggers;
    private readonly ServiceNotifications _systemd;
    private readonly ServiceReport _service;
    private readonly ILogger _log;
    private readonly OwnedResources _parts = new();
    private volatile BalancerControl? _control;
    private volatile RoutingSnapshot? _first;
    private BalancerMetrics? _metrics;
    private PrometheusEndpoint? _metricsEndpoint;
    private MetricsServer? _metricsServer;
    private RecordLog? _records;
    private LivingLines? _living;
    private volatile IEngine? _engine;
    private BackendNames? _names;
    private DiscoveryService? _discovery;
    private StopExtension? _stopExtension;
    private StateFile? _stateFile;
    private FileWatch? _watch;
    private volatile FleetService? _fleet;
    private AdminServer? _admin;
    private EndpointDesk? _endpoints;
    private EndpointServer? _endpointServer;
    private DnsCounters? _dnsCounters;
    private ZoneServer? _zone;

    public Daemon(TimeProvider clock, LogOutput output, LevelSwitch level, ILoggerFactory loggers, ServiceNotifications systemd)
    {
        _clock = clock;
        _output = output;
        _level = level;
        _loggers = loggers;
        _systemd = systemd;
        _log = loggers.CreateLogger<Daemon>();
        _service = new ServiceReport(systemd, Status);
    }

    /// <summary>Resolves host names; blocks and must not throw.</summary>
    public Func<string, LookUp> Resolver { get; init; } = LookUp.OfSystem;

    /// <summary>The stamp of the file that was read before the start (<see cref="ConfigFile.Stamp"/>).</summary>
    public object? FileStamp { get; init; }

    /// <summary>Pending and active connections.</summary>
    public int Connections => _engine?.Count ?? 0;

    /// <summary>The listening addresses in the order of the configuration, with the ports that the kernel chose.</summary>
    public IReadOnlyList<Endpoint> Bound => _engine?.Bound ?? [];

    /// <summary>Null if there is no metrics listener.</summary>
    public string? MetricsUrl => _metricsServer?.Url;

    /// <summary>The status page; null if the admin API is not on TCP.</summary>
    public string? PageUrl => _admin?.Url;

    /// <summary>The configuration in force, including the durations of the shutdown.</summary>
    public BalancerConfig Config => _control!.Config;

    // The first snapshot applies until the control plane exists.
    private RoutingSnapshot Snapshot => _control?.Snapshot ?? _first!;

    /// <summary>Starts all parts. After a failure the caller disposes of this object, which removes the parts that were started.</summary>
    /// <param name="path">The file of the configuration, for reloads; null if it was not read from a file.</param>
    /// <param name="hurry">Cancelled when the daemon is to stop as soon as it has started: files that are read slowly are no longer waited for.</param>
    /// <returns>The errors, one line each with how to correct it; empty if the daemon runs.</returns>
    public async Task<ImmutableArray<string>> StartAsync(BalancerConfig config, string? path, CancellationToken hurry = default)
    {
        ImmutableArray<string> lacking = PlatformNeeds.Missing(config);
        if (!lacking.IsEmpty)
        {
            return lacking;
        }

        DescriptorBudget budget = DescriptorBudget.For(config, RaiseLimit());
        if (budget.WhyNot() is string noRoom)
        {
            return [noRoom];
        }

        DesiredState desired = await DesireAsync(config, budget) with { Overrides = await RestoreAsync(config, path, hurry) };
        ImmutableArray<string> loops = _names!.SelfConnects(config);
        if (!loops.IsEmpty)
        {
            return loops;
        }

        RoutingSnapshot snapshot = _first = RoutingSnapshot.Build(desired);
        snapshot.Ports.Supply.Range = LocalPorts.Range();
        _dnsCounters = config.Dns is null ? null : new DnsCounters();
        _log.Starting(
            BuildVersion.Current.Version, EngineChoice.NameOf(config.Balancer.Engine), snapshot.MaxConnections, budget.Limit, budget.Reserve);
        if (await StartMetricsAsync(config) is string noMetrics)
        {
            return [noMetrics];
        }

        if (StartEngine(config.Balancer, budget, snapshot) is { Count: > 0 } failures)
        {
            return [.. failures.Select(f => f.Message)];
        }

        CreateControl(desired, budget, snapshot, path);
        _parts.Own(_living = new LivingLines(_engine!, config.Balancer.AccessLogEvery, _clock, _loggers.CreateLogger<LivingLines>()));
        StartWatches(path);
        _control!.Start();
        _fleet?.Start();
        if (await StartEndpointsAsync(desired, budget, hurry) is string noEndpoints)
        {
            return [noEndpoints];
        }

        if (await StartAdminAsync(config.Admin, hurry) is string noAdmin)
        {
            return [noAdmin];
        }

        if (config.Dns is not null && OperatingSystem.IsLinux() && await StartDnsAsync(desired.Seed) is string noDns)
        {
            return [noDns];
        }

        _control.ReadDependencies = ReadDependencies;

        ReturnMemoryOfStart();
        _service.Ready();
        _log.Ready(Status());
        return [];
    }

    // Reading the configuration and building the hosts leaves garbage that would stay resident until the first collection, which a daemon with
    // quiet connections may not need for days. An aggressive collection returns the freed pages to the system.
    private static void ReturnMemoryOfStart() => GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);

    /// <summary>Reads the configuration again, and notifies the service manager.</summary>
    /// <param name="who">The origin of the request, for the log.</param>
    public async Task ReloadAsync(string who) => await _control!.ReloadAsync(who);

    /// <summary>Reports not ready from now on; connections are still accepted.</summary>
    public void Drain()
    {
        _service.Draining();
        _fleet?.Changed();
        _stopExtension?.Begin(Config.Balancer.ShutdownDelay + Config.Balancer.ShutdownGrace);
    }

    /// <summary>Accepts no new connections from now on; the established ones end within the grace.</summary>
    /// <param name="atOnce">Cancels the rest of the grace.</param>
    public async Task StopAsync(TimeSpan grace, CancellationToken atOnce)
    {
        await _control!.DisposeAsync();
        if (_zone is not null && _fleet is null && OperatingSystem.IsLinux())
        {
            // It knows no address but its own, where nothing listens from now on. A resolver that gets no answer asks the next name server.
            await _zone.DisposeAsync();
        }

        await _engine!.StopAsync(grace, atOnce);
    }

    public ValueTask DisposeAsync() => _parts.DisposeAsync();

    /// <returns>The number of descriptors that the process may hold.</returns>
    private long RaiseLimit()
    {
        int errno = DescriptorBudget.Raise(out long limit);
        if (errno != 0)
        {
            _log.LimitNotRaised(limit, errno);
        }

        return limit;
    }

    // Names are created before the control plane and disposed of after it; an answer that arrives without it is ignored.
    private async Task<DesiredState> DesireAsync(BalancerConfig config, DescriptorBudget budget)
    {
        _parts.Own(_names = new BackendNames(
            new NameResolver(Resolver, _clock, () => _control?.NamesChanged()), _clock, _loggers.CreateLogger<BackendNames>()));
        _parts.Own(_discovery = new DiscoveryService(
            (pool, settings) => SourceFactory.Create(pool, settings, config.Fleet?.Name ?? DiscoverySettings.DefaultFleet, _clock),
            () => _control?.DiscoveryChanged(), _clock, _loggers.CreateLogger<DiscoveryService>()));
        await Task.WhenAll(_names.PrepareAsync(config), _discovery.StartAsync(config));
        return new DesiredState(config, budget.ConnectionsFor(config.Balancer, _log))
        {
            Names = _names.After(Resolutions.None, config),
            Discovered = Discovered.None.After(config, _discovery.Believed, _names.OwnOf(config.Listeners)),
            Seed = UnknownSeed(),
        };
    }

    // Clients must not know it. The system's generator fills a new GUID (RFC 9562, 5.4), of which each half has a few fixed bits where the other
    // has none; RandomNumberGenerator would load OpenSSL for eight bytes, which costs 4 MiB and a third of the start.
    private static ulong UnknownSeed()
    {
        Span<ulong> halves = stackalloc ulong[2];
        Guid.NewGuid().TryWriteBytes(MemoryMarshal.AsBytes(halves));
        return halves[0] ^ halves[1];
    }

    /// <summary>What operators had set when the process before this one ended.</summary>
    private async Task<BackendOverrides> RestoreAsync(BalancerConfig config, string? path, CancellationToken hurry)
    {
        if (path is null || StateFile.PathFor(config.Balancer, Environment.GetEnvironmentVariable) is not string statePath)
        {
            return BackendOverrides.None;
        }

        StateFile file = _stateFile = new StateFile(statePath, _log);
        try
        {
            BackendOverrides saved =
                await OwnThread.RunAsync("l4b-read-state", () => file.Load(config)).WaitAsync(ConfigSource.Within, _clock, hurry);
            return saved.At(_clock.GetUtcNow());
        }
        catch (Exception e) when (e is TimeoutException or OperationCanceledException)
        {
            // What the file holds is not known, so it is not written over either.
            _log.StateNotRead(statePath, ConfigSource.TooSlow, "its file system does not answer");
            _stateFile = null;
            return BackendOverrides.None;
        }
    }

    // The metrics outlive the engine, so that the connections it closes at its end are counted.
    private async Task<string?> StartMetricsAsync(BalancerConfig config)
    {
        if (config.Metrics is null && !AdminServer.IsWanted(config.Admin))
        {
            return null;
        }

        _parts.Own(_metrics = new BalancerMetrics(
            () => Snapshot, () => _engine, _clock, DescriptorBudget.WorkersOf(config.Balancer), _dnsCounters, () => _fleet?.Status)
        {
            Discovery = _discovery!.Of,
        });
        if (config.Metrics?.Otlp is Uri collector)
        {
            _parts.Own(new OtlpPush(collector, _metrics, FirstPush, BetweenPushes, _loggers.CreateLogger<OtlpPush>()));
        }

        _parts.Own(_metricsEndpoint = new PrometheusEndpoint(_metrics));
        try
        {
            if (config.Metrics is not null)
            {
                _parts.Own(_metricsServer = await MetricsServer.StartAsync(
                    config.Metrics.Listen, _metrics, _metricsEndpoint, () => (_control?.Config ?? config).Admin.Hosts, _loggers));
            }

            return null;
        }
        catch (ListenException e)
        {
            return e.Message;
        }
    }

    private IReadOnlyList<ListenFailure> StartEngine(BalancerSettings settings, DescriptorBudget budget, RoutingSnapshot snapshot)
    {
        _parts.Own(_records = new RecordLog(settings, _output, _metrics?.Durations, _clock, _loggers.CreateLogger<RecordLog>()));
        _parts.Own(_engine = EngineChoice.Create(settings.Engine, new EngineOptions
        {
            Clock = _clock,
            Records = _records,
            Loggers = _loggers,
            Workers = DescriptorBudget.WorkersOf(settings),
            PipesPerWorker = budget.PipesPerWorker,
            Held = new HeldMemory(HeldMemoryOf(settings)),
            Inherited = OperatingSystem.IsLinux() ? ListenDescriptors.Take(_log) : [],
        }));
        return _engine.Start(snapshot);
    }

    // Known by the runtime as what the machine has, or the limit of its cgroup.
    private static long HeldMemoryOf(BalancerSettings settings) => settings.HeldMemory.Bytes > 0
        ? settings.HeldMemory.Bytes
        : GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / ShareOfMemory;

    private void CreateControl(DesiredState desired, DescriptorBudget budget, RoutingSnapshot snapshot, string? path)
    {
        Warn(desired.File);
        var control = new BalancerControl(
            new ActiveConfig(desired, snapshot), _engine!, _names!, _discovery!, budget.Limit, path, _clock, _loggers);
        if (_stateFile is not null)
        {
            var state = new StateWriter(_stateFile, desired, _clock, _log);
            _parts.Own(state);
            control.State = state;
        }

        control.FileRead = FileStamp;
        _parts.Own(_control = control);
        if (desired.File.Fleet is { } fleet)
        {
            Join(control, fleet, desired);
        }

        // Answers of name servers and of sources between the first snapshot and this point found no control plane to report to.
        control.NamesChanged();
        control.DiscoveryChanged();
        control.Events.ReloadBegins += _service.Reloading;
        control.Events.ReloadEnds += _service.Ready;
        control.Events.Reloaded += now =>
        {
            _level.Set(now.Balancer.LogLevel);
            _records!.Apply(now.Balancer);
            _living!.Apply(now.Balancer.AccessLogEvery);
            _watch?.Set(now.Balancer.Watch);
            Warn(now);
            if (OperatingSystem.IsLinux())
            {
                _zone?.Check(now.Dns!);
            }
        };
    }

    private IBalancerAddresses BalancersOf(Func<DnsSettings> settings) => _fleet is { } fleet
        ? new FleetAddresses(fleet, () => settings().Address, () => !_service.IsDraining) : new OwnAddresses(settings);

    private void Join(BalancerControl control, FleetSettings settings, DesiredState desired)
    {
        var self = new FleetMember(settings.Id.Length > 0 ? settings.Id : Environment.MachineName, Guid.NewGuid().ToString("N"))
        {
            Host = $"{Environment.MachineName}, pid {Environment.ProcessId}",
            Version = BuildVersion.Current.Version,
            Started = _clock.GetUtcNow(),
        };
        _fleet = new FleetService(
            settings, self, me => new FleetView(me, () => control.Now, static c => c.Dns is { } dns ? [.. dns.Address.Select(static a => a.ToString())] : [], () => !_service.IsDraining), control, _clock,
            _loggers.CreateLogger<FleetService>());
        _parts.Own(_fleet);
        control.Sharing = _fleet;
        control.Events.HealthChanged += _fleet.Changed;
        control.Events.Reloaded += _ => _fleet.Changed();
        _fleet.Follow(desired);
    }

    private void StartWatches(string? path)
    {
        if (path is not null)
        {
            BalancerControl control = _control!;
            _parts.Own(_watch = new FileWatch(path, () => control.FileRead, control.ReloadAsync, _clock, _loggers.CreateLogger<FileWatch>()));
            _watch.Set(control.Config.Balancer.Watch);
        }

        _parts.Own(new PortWatch(() => Snapshot, LocalPorts.Range, _clock, _loggers.CreateLogger<PortWatch>()));
        _parts.Own(new SourceWatch(() => Snapshot, _clock, _loggers.CreateLogger<SourceWatch>()));
        if (_engine!.LoopStatistics().Count > 0)
        {
            _parts.Own(new QuietControlPlane(_clock, _loggers.CreateLogger<QuietControlPlane>()));
        }

        if (_systemd.IsEnabled)
        {
            TellSystemd();
        }
    }

    private void TellSystemd()
    {
        var statusLine = new StatusLine(_service.StatusChanged, _clock);
        _parts.Own(statusLine);
        _control!.Events.HealthChanged += statusLine.Change;
        _parts.Own(_stopExtension = new StopExtension(_systemd, _clock));
        if (Watchdog.TimeFrom(Environment.GetEnvironmentVariable, Environment.ProcessId) is TimeSpan time)
        {
            _parts.Own(new Watchdog(_systemd, _engine!.PingLoopsAsync, time, _clock, _loggers.CreateLogger<Watchdog>()));
        }
    }

    // Without [endpoint] there is a desk nevertheless: the admin API shows what clients would be handed.
    private async Task<string?> StartEndpointsAsync(DesiredState desired, DescriptorBudget budget, CancellationToken hurry)
    {
        BalancerControl control = _control!;
        _endpoints = new EndpointDesk(() => control.Snapshot, () => control.Config.Endpoint, _clock, desired.Seed);
        if (desired.File.Endpoint is not EndpointSettings settings)
        {
            return null;
        }

        try
        {
            _parts.Own(_endpointServer = await EndpointServer.StartAsync(settings, _endpoints, budget.Limit, _clock, _loggers, hurry));
            return null;
        }
        catch (Exception e) when (e is ListenException or InvalidDataException)
        {
            return e.Message;
        }
    }

    private Action ReadDependencies(BalancerConfig config)
    {
        Action? token = _admin?.ReadToken(config);
        Action? secret = _endpointServer?.ReadSecret(config);
        return () =>
        {
            token?.Invoke();
            secret?.Invoke();
        };
    }

    private async Task<string?> StartAdminAsync(AdminSettings settings, CancellationToken hurry)
    {
        if (_metricsEndpoint is null)
        {
            return null;
        }

        try
        {
            var target = new AdminTarget(
                _control!, _engine!, _metricsEndpoint, _output.Recent, _clock, _clock.GetUtcNow(), () => !_service.IsDraining,
                _endpoints!)
            { Fleet = _fleet };
            _parts.Own(_admin = await AdminServer.StartAsync(settings, target, _loggers, hurry));
            return null;
        }
        catch (ListenException e)
        {
            return e.Message;
        }
    }

    [SupportedOSPlatform("linux")]
    private async Task<string?> StartDnsAsync(ulong seed)
    {
        DnsSettings Settings() => _control!.Config.Dns!;
        try
        {
            var view = new DnsView(() => Snapshot, Settings, BalancersOf(Settings), _clock);
            _parts.Own(_zone = await ZoneServer.StartAsync(Settings, view, _dnsCounters!, seed, _clock, _loggers));
            return null;
        }
        catch (ListenException e)
        {
            return e.Message;
        }
    }

    private void Warn(BalancerConfig config)
    {
        if (LocalPorts.Warning(config) is string warning)
        {
            _log.PortsRest(warning);
        }

        foreach (string limited in BufferLimits.Warnings(config))
        {
            _log.BufferLimited(limited);
        }

        foreach ((string pool, HostAddress address) in SourceAddresses.NotHere(config))
        {
            _log.SourceNotHere(pool, address.ToString());
        }
    }

    private string Status()
    {
        RoutingSnapshot snapshot = Snapshot;
        int backends = snapshot.Pools.Sum(p => p.Backends.Length);
        int up = snapshot.Pools.Sum(p => p.Backends.Count(b => p.StatusOf(b.Index) == BackendStatus.Up));
        return $"{Bound.Count} addresses, {snapshot.Pools.Length} pools, {up} of {backends} backends up";
    }
}
