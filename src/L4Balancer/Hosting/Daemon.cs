using System.Collections.Immutable;
using L4Balancer.AccessLog;
using L4Balancer.Admin;
using L4Balancer.Control;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Routing;
using L4Balancer.Engine;
using L4Balancer.Logging;
using L4Balancer.Metrics;
using L4Balancer.Platform;
using L4Balancer.Resolving;
using L4Balancer.Systemd;
using L4Balancer.Web;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Hosting;

/// <summary>
/// One running balancer: the engine, and around it what feeds it (control, health) and what listens to it (log, metrics). It is put
/// together in <see cref="StartAsync"/> and taken apart in the reverse order.
/// </summary>
internal sealed class Daemon : IAsyncDisposable
{
    private static readonly TimeSpan FirstPush = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan BetweenPushes = TimeSpan.FromMinutes(1);

    private readonly Lock _stopping = new();
    private readonly TimeProvider _clock;
    private readonly LogOutput _output;
    private readonly LevelSwitch _level;
    private readonly ILoggerFactory _loggers;
    private readonly SystemdNotifier _systemd;
    private readonly ILogger _log;
    private volatile BalancerControl? _control;
    private volatile RoutingSnapshot? _first;
    private BalancerMetrics? _metrics;
    private MetricsEndpoint? _metricsEndpoint;
    private MetricsServer? _metricsServer;
    private OtlpPush? _push;
    private RecordLog? _records;
    private IEngine? _engine;
    private BackendNames? _names;
    private SourceWatch? _sources;
    private StatusLine? _statusLine;
    private PortWatch? _ports;
    private QuietControlPlane? _quiet;
    private Watchdog? _watchdog;
    private StopExtension? _stopExtension;
    private AdminServer? _admin;
    private volatile bool _draining;

    public Daemon(TimeProvider clock, LogOutput output, LevelSwitch level, ILoggerFactory loggers, SystemdNotifier systemd)
    {
        _clock = clock;
        _output = output;
        _level = level;
        _loggers = loggers;
        _systemd = systemd;
        _log = loggers.CreateLogger<Daemon>();
    }

    /// <summary>Pending and active connections.</summary>
    public int Connections => _engine?.Count ?? 0;

    /// <summary>The listening addresses in the order of the configuration, with the ports that the kernel chose.</summary>
    public IReadOnlyList<Endpoint> Bound => _engine?.Bound ?? [];

    /// <summary>Null where nothing listens for scrapers.</summary>
    public string? MetricsUrl => _metricsServer?.Url;

    /// <summary>The status page; null where the admin API is not on TCP.</summary>
    public string? PageUrl => _admin?.Url;

    /// <summary>What is in force; the durations of the end among it.</summary>
    public BalancerConfig Config => _control!.Config;

    // The control takes over from the first snapshot as soon as the engine runs.
    private RoutingSnapshot Snapshot => _control?.Snapshot ?? _first!;

    /// <summary>Starts everything, or nothing that lasts: after a fault the caller disposes of this.</summary>
    /// <param name="path">Where the configuration was read, to be read again; null where it was not read from a file.</param>
    /// <returns>What kept it from starting, one line with the mend each; empty where it runs.</returns>
    public async Task<ImmutableArray<string>> StartAsync(BalancerConfig config, string? path)
    {
        ImmutableArray<string> lacking = PlatformNeeds.Missing(config);
        if (!lacking.IsEmpty)
        {
            return lacking;
        }

        int errno = DescriptorBudget.Raise(out long limit);
        if (errno != 0)
        {
            _log.LimitNotRaised(limit, errno);
        }

        DescriptorBudget budget = DescriptorBudget.For(config, limit);
        if (budget.WhyNot() is string noRoom)
        {
            return [noRoom];
        }

        _names = new BackendNames(
            new NameResolver(LookUp.OfSystem, _clock, () => _control?.NamesChanged()), _clock, _loggers.CreateLogger<BackendNames>());
        await _names.PrepareAsync(config);
        RoutingSnapshot snapshot = RoutingSnapshot.Build(
            config, budget.ConnectionsFor(config.Balancer, _log), resolutions: _names.After(Resolutions.None, config));
        snapshot.Ports.Supply.Range = LocalPorts.Range();
        _first = snapshot;
        if (config.Metrics is not null || AdminServer.IsWanted(config.Admin))
        {
            _metrics = new BalancerMetrics(() => Snapshot, () => _engine, _clock, pushed: config.Metrics?.Otlp is not null);
            _metricsEndpoint = new MetricsEndpoint(_metrics, _loggers.CreateLogger<MetricsEndpoint>());
        }

        _records = new RecordLog(config.Balancer, _output, _metrics?.Durations, _clock, _loggers.CreateLogger<RecordLog>());
        _engine = EngineChoice.Create(config.Balancer.Engine, new EngineOptions
        {
            Clock = _clock,
            Records = _records,
            Loggers = _loggers,
            Workers = DescriptorBudget.WorkersOf(config.Balancer),
            PipesPerWorker = budget.PipesPerWorker,
            Inherited = OperatingSystem.IsLinux() ? ListenDescriptors.Take() : [],
        });
        _log.Starting(BuildVersion.Current.Version, _engine.Name, snapshot.MaxConnections, budget.Limit, budget.Reserve);

        if (config.Metrics is not null && await StartMetricsAsync(config.Metrics, _metricsEndpoint!) is string fault)
        {
            return [fault];
        }

        if (_engine.Start(snapshot) is { Count: > 0 } failures)
        {
            return [.. failures.Select(f => f.Message)];
        }

        if (config.Metrics?.Otlp is Uri collector)
        {
            _push = new OtlpPush(collector, _metrics!.Backends, FirstPush, BetweenPushes, _loggers.CreateLogger<OtlpPush>());
        }

        if (_engine.Load().Count > 0)
        {
            _quiet = new QuietControlPlane(_clock);
        }

        Warn(config);
        _control = new BalancerControl(config, snapshot, _engine, _names, limit, path, _clock, _loggers);

        // Whoever answered since the first snapshot was built had nobody to tell.
        _control.NamesChanged();
        if (_systemd.IsEnabled)
        {
            _statusLine = new StatusLine(() => TellUnlessDraining(() => _systemd.Status(Status())), _clock);
            _control.HealthChanged += _statusLine.Change;
        }

        _control.ReloadBegins += () => TellUnlessDraining(_systemd.Reloading);
        _control.ReloadEnds += () => TellUnlessDraining(() => _systemd.Ready(Status()));
        _control.Reloaded += now =>
        {
            _level.Set(now.Balancer.LogLevel);
            _records.Apply(now.Balancer);
            Warn(now);
        };
        _sources = new SourceWatch(() => Snapshot, _clock, _loggers.CreateLogger<SourceWatch>());
        _ports = new PortWatch(() => Snapshot, LocalPorts.Range, _clock, _loggers.CreateLogger<PortWatch>());
        if (Watchdog.TimeFrom(Environment.GetEnvironmentVariable, Environment.ProcessId) is TimeSpan time && _systemd.IsEnabled)
        {
            _watchdog = new Watchdog(_systemd, _engine.TurnAsync, time, _clock, _loggers.CreateLogger<Watchdog>());
        }

        if (_metricsEndpoint is not null && await StartAdminAsync(config.Admin, _control, _engine, _metricsEndpoint) is string noAdmin)
        {
            return [noAdmin];
        }

        Tell(_systemd.Ready(Status()));
        _log.Ready(Status());
        return [];
    }

    /// <summary>Reads the configuration again, and tells the service manager of it.</summary>
    /// <param name="who">Who asked, for the log.</param>
    public async Task ReloadAsync(string who) => await _control!.ReloadAsync(who);

    /// <summary>From now on it is not ready; connections are still accepted.</summary>
    public void Drain()
    {
        lock (_stopping)
        {
            _draining = true;
            Tell(_systemd.Stopping("draining"));
        }

        if (_systemd.IsEnabled)
        {
            _stopExtension = new StopExtension(_systemd, Config.Balancer.ShutdownDelay + Config.Balancer.ShutdownGrace, _clock);
        }
    }

    /// <summary>No new connections from now on; the established ones end within the grace.</summary>
    /// <param name="atOnce">Cancels what is left of the grace.</param>
    public async Task StopAsync(TimeSpan grace, CancellationToken atOnce)
    {
        await _control!.DisposeAsync();
        await _engine!.StopAsync(grace, atOnce);
    }

    public async ValueTask DisposeAsync()
    {
        if (_admin is not null)
        {
            await _admin.DisposeAsync();
        }

        if (_watchdog is not null)
        {
            await _watchdog.DisposeAsync();
        }

        if (_stopExtension is not null)
        {
            await _stopExtension.DisposeAsync();
        }

        _quiet?.Dispose();
        if (_statusLine is not null)
        {
            await _statusLine.DisposeAsync();
        }

        _names?.Dispose();
        if (_sources is not null)
        {
            await _sources.DisposeAsync();
        }

        if (_ports is not null)
        {
            await _ports.DisposeAsync();
        }

        if (_control is not null)
        {
            await _control.DisposeAsync();
        }

        if (_engine is not null)
        {
            await _engine.DisposeAsync();
        }

        if (_records is not null)
        {
            await _records.DisposeAsync();
        }

        if (_metricsServer is not null)
        {
            await _metricsServer.DisposeAsync();
        }

        _metricsEndpoint?.Dispose();
        _push?.Dispose();
        _metrics?.Dispose();
    }

    private async Task<string?> StartMetricsAsync(MetricsSettings settings, MetricsEndpoint metrics)
    {
        try
        {
            _metricsServer = await MetricsServer.StartAsync(settings.Listen, metrics, _loggers);
            return null;
        }
        catch (ListenException e)
        {
            return e.Message;
        }
    }

    private async Task<string?> StartAdminAsync(AdminSettings settings, BalancerControl control, IEngine engine, MetricsEndpoint metrics)
    {
        try
        {
            var target = new AdminTarget(control, engine, metrics, _output.Recent, _clock, _clock.GetUtcNow(), () => !_draining);
            _admin = await AdminServer.StartAsync(settings, target, _loggers);
            control.ReadsToo = _admin.ReadToken;
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

        foreach ((string pool, HostAddress address) in SourceAddresses.NotHere(config))
        {
            _log.SourceNotHere(pool, address.ToString());
        }
    }

    private string Status()
    {
        RoutingSnapshot snapshot = Snapshot;
        int backends = snapshot.Pools.Sum(p => p.Backends.Length);
        int up = snapshot.Pools.Sum(p => p.Backends.Count(b => p.StateOf(b.Index) == BackendState.Up));
        return $"{Bound.Count} addresses, {snapshot.Pools.Length} pools, {up} of {backends} backends up";
    }

    // After STOPPING=1 a manager that hears READY=1 or RELOADING=1 takes the service for one that runs on (sd_notify(3)).
    private void TellUnlessDraining(Func<bool> tell)
    {
        lock (_stopping)
        {
            if (!_draining)
            {
                Tell(tell());
            }
        }
    }

    private void Tell(bool told)
    {
        if (!told)
        {
            _log.ManagerNotTold();
        }
    }
}
