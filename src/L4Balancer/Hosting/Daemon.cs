using System.Collections.Immutable;
using L4Balancer.AccessLog;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Routing;
using L4Balancer.Engine;
using L4Balancer.Engine.Probing;
using L4Balancer.Logging;
using L4Balancer.Metrics;
using L4Balancer.Systemd;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Hosting;

/// <summary>
/// One running balancer: the engine, and around it what feeds it (snapshot, health) and what listens to it (log, metrics). It is put
/// together in <see cref="StartAsync"/> and taken apart in the reverse order.
/// </summary>
internal sealed class Daemon : IAsyncDisposable
{
    private readonly TimeProvider _clock;
    private readonly LogOutput _output;
    private readonly ILoggerFactory _loggers;
    private readonly SystemdNotifier _systemd;
    private readonly ILogger _log;
    private volatile RoutingSnapshot? _snapshot;
    private BalancerMetrics? _metrics;
    private MetricsServer? _metricsServer;
    private RecordLog? _records;
    private IEngine? _engine;
    private HealthControl? _health;
    private Prober? _prober;
    private SourceWatch? _sources;

    public Daemon(TimeProvider clock, LogOutput output, ILoggerFactory loggers, SystemdNotifier systemd)
    {
        _clock = clock;
        _output = output;
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

    /// <summary>Starts everything, or nothing that lasts: after a fault the caller disposes of this.</summary>
    /// <returns>What kept it from starting, one line with the mend each; empty where it runs.</returns>
    public async Task<ImmutableArray<string>> StartAsync(BalancerConfig config)
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

        int workers = config.Balancer.Workers > 0 ? config.Balancer.Workers : Environment.ProcessorCount;
        DescriptorBudget budget = DescriptorBudget.For(config, limit, workers);
        if (budget.Connections == 0)
        {
            string mend = $"raise it (LimitNOFILE, or ulimit -n) above {budget.Reserve + 2}";
            return [$"the descriptor limit of {limit} leaves no room for connections: {mend}"];
        }

        RoutingSnapshot snapshot = RoutingSnapshot.Build(config, MaxConnections(config.Balancer, budget));
        _snapshot = snapshot;
        if (config.Metrics is not null)
        {
            int backends = config.Pools.Sum(p => p.Backends.Length);
            _metrics = new BalancerMetrics(() => _snapshot, backends, EngineChoice.NameOf(config.Balancer.Engine));
        }

        _records = new RecordLog(config.Balancer, _output, _metrics?.Durations, _clock, _loggers.CreateLogger<RecordLog>());
        _engine = EngineChoice.Create(config.Balancer.Engine, new EngineOptions
        {
            Clock = _clock,
            Records = _records,
            Loggers = _loggers,
            Workers = workers,
            PipesPerWorker = budget.PipesPerWorker,
        });
        _log.Starting(BuildVersion.Current.Version, _engine.Name, snapshot.MaxConnections, budget.Limit, budget.Reserve);

        if (_metrics is not null && await StartMetricsAsync(config.Metrics!, _metrics) is string fault)
        {
            return [fault];
        }

        if (_engine.Start(snapshot) is { Count: > 0 } failures)
        {
            return [.. failures.Select(f => f.Message)];
        }

        foreach ((string pool, HostAddress address) in SourceAddresses.NotHere(config))
        {
            _log.SourceNotHere(pool, address.ToString());
        }

        StartHealth(snapshot);
        Tell(_systemd.Ready(Status()));
        _log.Ready(Status());
        return [];
    }

    /// <summary>No new connections from now on; the established ones end within the grace.</summary>
    /// <param name="atOnce">Cancels what is left of the grace.</param>
    public async Task StopAsync(TimeSpan grace, CancellationToken atOnce)
    {
        Tell(_systemd.Stopping("draining"));
        if (_prober is not null)
        {
            await _prober.DisposeAsync();
        }

        await _engine!.StopAsync(grace, atOnce);
    }

    public async ValueTask DisposeAsync()
    {
        if (_prober is not null)
        {
            await _prober.DisposeAsync();
        }

        if (_sources is not null)
        {
            await _sources.DisposeAsync();
        }

        if (_engine is not null)
        {
            await _engine.DisposeAsync();
        }

        if (_health is not null)
        {
            await _health.DisposeAsync();
        }

        if (_records is not null)
        {
            await _records.DisposeAsync();
        }

        if (_metricsServer is not null)
        {
            await _metricsServer.DisposeAsync();
        }

        _metrics?.Dispose();
    }

    private int MaxConnections(BalancerSettings settings, DescriptorBudget budget)
    {
        if (settings.MaxConnections <= budget.Connections)
        {
            return settings.MaxConnections > 0 ? settings.MaxConnections : budget.Connections;
        }

        _log.ConnectionsCapped(settings.MaxConnections, budget.Limit, budget.Connections);
        return budget.Connections;
    }

    private async Task<string?> StartMetricsAsync(MetricsSettings settings, BalancerMetrics metrics)
    {
        try
        {
            _metricsServer = await MetricsServer.StartAsync(settings.Listen, metrics, _loggers);
            return null;
        }
        catch (MetricsListenException e)
        {
            return e.Message;
        }
    }

    private void StartHealth(RoutingSnapshot snapshot)
    {
        _health = new HealthControl(
            snapshot, _clock, _loggers.CreateLogger<HealthControl>(), () => Tell(_systemd.Status(Status())));
        _prober = new Prober(_clock, Random.Shared, _health.Report);
        _prober.Publish(snapshot);
        _sources = new SourceWatch(() => _snapshot!, _clock, _loggers.CreateLogger<SourceWatch>());
    }

    private string Status()
    {
        RoutingSnapshot snapshot = _snapshot!;
        int backends = snapshot.Pools.Sum(p => p.Backends.Length);
        int up = snapshot.Pools.Sum(p => p.Backends.Count(b => !p.IsDown(b.Index)));
        return $"{Bound.Count} addresses, {snapshot.Pools.Length} pools, {up} of {backends} backends up";
    }

    private void Tell(bool told)
    {
        if (!told)
        {
            _log.ManagerNotTold();
        }
    }
}
