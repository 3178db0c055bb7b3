using System.Collections.Immutable;
using System.Runtime.Versioning;
using L4Balancer.AccessLog;
using L4Balancer.Configuration;
using L4Balancer.Control;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Dns;
using L4Balancer.Core.Handover;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Timing;
using L4Balancer.Engine;
using L4Balancer.Engine.Epoll;
using L4Balancer.Engine.Ledger;
using L4Balancer.Engine.Listening;
using L4Balancer.Fleet;
using L4Balancer.Logging;
using L4Balancer.Metrics;
using L4Balancer.Platform;
using L4Balancer.Recovery;
using L4Balancer.Resolving;
using L4Balancer.Systemd;
using L4Balancer.Upgrade;
using L4Balancer.Web;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Hosting;

/// <summary>
/// One running balancer: the engine, its inputs (control, health) and its outputs (log, metrics). <see cref="StartAsync"/> creates the
/// parts; they are disposed of in the reverse order.
/// </summary>
internal sealed class Daemon : IAsyncDisposable
{
    /// <summary>Without <c>held_memory</c> connections may hold this part of the memory for peers that do not read: an eighth.</summary>
    private const int ShareOfMemory = 8;

    /// <summary>For this long a keeper that was killed may be missing.</summary>
    private static readonly TimeSpan LooksAtKeeper = TimeSpan.FromSeconds(1);

    private readonly TimeProvider _clock;
    private readonly LogOutput _output;
    private readonly LevelSwitch _level;
    private readonly ILoggerFactory _loggers;
    private readonly ServiceNotifications _systemd;
    private readonly ServiceReport _service;
    private readonly ILogger _log;
    private readonly OwnedResources _parts = new();
    private readonly ControlServers _servers;
    private readonly RecoveryCounters _recovered = new();
    private volatile BalancerControl? _control;
    private volatile RoutingSnapshot? _first;
    private RecordLog? _records;
    private LivingLines? _living;
    private volatile IEngine? _engine;
    private StopExtension? _stopExtension;
    private FileWatch? _watch;
    private volatile FleetService? _fleet;
    private DaemonUpgrade? _upgrade;
    private bool _hasRecovered;

    public Daemon(TimeProvider clock, LogOutput output, LevelSwitch level, ILoggerFactory loggers, ServiceNotifications systemd)
    {
        _clock = clock;
        _output = output;
        _level = level;
        _loggers = loggers;
        _systemd = systemd;
        _log = loggers.CreateLogger<Daemon>();
        _service = new ServiceReport(systemd, Status);
        _servers = new ControlServers(_service, _parts, clock, loggers);
    }

    /// <summary>Resolves host names; blocks and must not throw.</summary>
    public Func<string, LookUp> Resolver { get; init; } = LookUp.OfSystem;

    /// <summary>The stamp of the file that was read before the start (<see cref="ConfigFile.Stamp"/>).</summary>
    public object? FileStamp { get; init; }

    /// <summary>What lets connections outlive this daemon. It is this object's from <see cref="StartAsync"/> on, but may be stopped before.</summary>
    public ConnectionKeeper Keeper { get; init; } = ConnectionKeeper.None("this program is no daemon");

    /// <summary>The process that this one replaces; null: none.</summary>
    public Takeover? Takeover { get; init; }

    /// <summary>Faults on demand for the first upgrade of this process.</summary>
    public UpgradeFaults Faults { get; init; } = UpgradeFaults.None;

    /// <summary>Completes when a new process has taken over and this one is to end.</summary>
    public Task Replaced => _upgrade?.Upgrader.Replaced ?? Task.Delay(Timeout.Infinite);

    /// <summary>Whether another process is the main one.</summary>
    public bool IsReplaced => _upgrade?.HasLeft == true;

    /// <summary>Whether an upgrade is under way.</summary>
    public bool IsBeingReplaced => _upgrade?.Upgrader.IsBusy == true;

    /// <summary>Pending and active connections.</summary>
    public int Connections => _engine?.Count ?? 0;

    /// <summary>The listening addresses in the order of the configuration, with the ports that the kernel chose.</summary>
    public IReadOnlyList<Endpoint> Bound => _engine?.Bound ?? [];

    /// <summary>Null if there is no metrics listener.</summary>
    public string? MetricsUrl => _servers.MetricsUrl;

    /// <summary>The status page; null if the admin API is not on TCP.</summary>
    public string? PageUrl => _servers.PageUrl;

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
        try
        {
            ImmutableArray<string> faults = await StartPartsAsync(config, path, hurry);
            if (!faults.IsEmpty && OperatingSystem.IsLinux())
            {
                Takeover?.Side.GiveUp(faults[0]);
            }

            return faults;
        }
        catch (UpgradeException e)
        {
            return [$"the upgrade cannot go on: {e.Message}"];
        }
    }

    private async Task<ImmutableArray<string>> StartPartsAsync(BalancerConfig config, string? path, CancellationToken hurry)
    {
        ImmutableArray<string> lacking = PlatformNeeds.Missing(config);
        if (!lacking.IsEmpty)
        {
            return lacking;
        }

        // Its ledger is unmapped when nothing writes to it any more.
        _parts.Own(Keeper);
        DescriptorBudget budget = DescriptorBudget.For(config, RaiseLimit());
        if (budget.WhyNot() is string noRoom)
        {
            return [noRoom];
        }

        if (Takeover is not null && OperatingSystem.IsLinux())
        {
            await Takeover.PrepareAsync(DaemonUpgrade.HelloOf(config, budget.Limit));
            _log.Replacing(Takeover.Side.OldProcess, Takeover.Old!.Build, Takeover.Preparation!.Who);
        }

        Preparation? before = OperatingSystem.IsLinux() ? Takeover?.Before : null;
        using CrashRecovery? crash = Takeover is null && OperatingSystem.IsLinux() ? CrashRecovery.Find(Keeper, _clock, _log) : null;
        var first = new FirstState(() => _control, _clock, _loggers, _log)
        {
            Resolver = Resolver,
            Before = before,
            Crashed = saved => OperatingSystem.IsLinux() ? crash?.OverridesFor(config, saved) : null,
        };
        DesiredState desired = await first.GatherAsync(config, budget, path, _parts, hurry);
        if (before is not null && OperatingSystem.IsLinux())
        {
            desired = desired.AsGeneration(before.Generation + (Takeover!.Old!.ConfigHash == ConfigHash.Of(config) ? 0 : 1));
        }

        ImmutableArray<string> loops = first.Names.SelfConnects(config);
        if (!loops.IsEmpty)
        {
            return loops;
        }

        var survivors = new Survivors(desired.Seed);
        RoutingSnapshot snapshot = _first = RoutingSnapshot.Build(desired);
        HealthBoard.Mark(snapshot, before?.Health ?? []);
        snapshot.Ports.Supply.Range = LocalPorts.Range();
        DnsCounters? questions = config.Dns is null ? null : new DnsCounters();
        _log.Starting(
            BuildVersion.Current.Version, EngineChoice.NameOf(config.Balancer.Engine), snapshot.MaxConnections, budget.Limit,
            budget.Reserve);
        IReadOnlyList<int> passed = OperatingSystem.IsLinux() ? ListenDescriptors.Take(_log) : [];
        IReadOnlyList<ListeningDescriptor> listening = [];
        if (Takeover is not null && OperatingSystem.IsLinux())
        {
            await Takeover.TakeStateAsync();
            listening = Takeover.Listening;
            _servers.Sockets = new ControlSockets(Takeover.ControlSockets, _loggers.CreateLogger<ControlSockets>()) { AreShared = true };
        }
        else if (crash is not null && OperatingSystem.IsLinux())
        {
            // Before anything is bound: the ports are never free meanwhile, and who connects waits in their queues.
            crash.TakeListening(config, passed);
            crash.Prepare(snapshot, survivors);
            listening = crash.Listening;
            _servers.Sockets = new ControlSockets(crash.Control, _loggers.CreateLogger<ControlSockets>()) { AreShared = !crash.IsAlone };
        }

        void AddState(BalancerMetrics? metrics)
        {
            if (OperatingSystem.IsLinux())
            {
                Takeover?.AddState(snapshot, survivors, CountingOf(first, metrics, questions), Instant.Now(_clock));
            }
        }

        // Before they can be asked for.
        BalancerMetrics Metrics()
        {
            BalancerMetrics metrics = MetricsOf(config, first, questions);
            AddState(metrics);
            return metrics;
        }

        if (await _servers.StartMetricsAsync(config, Metrics, () => _control?.Config ?? config)
            is string noMetrics)
        {
            return [noMetrics];
        }

        AddState(null);
        _first = snapshot = survivors.JoinTo(snapshot);
        if (StartEngine(config.Balancer, budget, snapshot, passed, listening, LedgerAfter(crash, desired, snapshot, budget)) is { Count: > 0 } failures)
        {
            return [.. failures.Select(f => f.Message + HeldPorts.Explain(f))];
        }

        CreateControl(desired, first, budget, snapshot, path);
        _upgrade = new DaemonUpgrade(_engine!, _control!, _servers, _service, _systemd, budget.Limit, path, _clock, _loggers)
        {
            Takeover = Takeover,
            Faults = Faults,
            Counting = CountingOf(first, _servers.Metrics, questions),
            Discovery = first.Discovery,
            Fleet = _fleet,
            Survivors = survivors,
            HasKeeper = () => Keeper.Process != 0,
            Recover = moving => RecoverAsync(survivors, moving),
        };
        _parts.Own(_upgrade);
        _parts.Own(_living = new LivingLines(_engine!, config.Balancer.AccessLogEvery, _clock, _loggers.CreateLogger<LivingLines>()));
        StartWatches(path);
        _control!.Start();
        if (Takeover is not null && OperatingSystem.IsLinux())
        {
            await CatchUpAsync(Takeover);
        }

        _fleet?.Start();
        if (await StartServersAsync(desired, budget, questions, hurry) is string fault)
        {
            return [fault];
        }

        _servers.Sockets.CloseRest();
        _control.ReadDependencies = _servers.ReadDependencies;
        if (crash is not null && OperatingSystem.IsLinux())
        {
            await RecoverAsync(crash, survivors, []);
            if (!crash.IsAlone)
            {
                _parts.Own(new PeriodicJob("the look at what a crashed daemon has left", LooksAtKeeper, _clock, _log, () => RecoverLater(survivors)));
            }
        }

        ReturnMemoryOfStart();
        if (Takeover is not null && OperatingSystem.IsLinux())
        {
            await Takeover.ServingAsync();
            _log.Ready(Status());
            _upgrade.Follow(BecomeMain);
            return [];
        }

        BecomeMain();
        _log.Ready(Status());
        return [];
    }

    [SupportedOSPlatform("linux")]
    private async Task CatchUpAsync(Takeover takeover)
    {
        if (takeover.Later is { } later)
        {
            await _control!.CatchUpAsync(later);
        }

        if (takeover.Membership is { } membership)
        {
            _fleet?.GoOnAs(membership);
        }
    }

    // For the service manager, if there is one.
    private void BecomeMain()
    {
        if (_systemd.IsEnabled)
        {
            TellSystemd();
        }

        _service.Ready();
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
        await _servers.EndOwnAddressAsync(hasFleet: _fleet is not null);
        await _engine!.StopAsync(grace, atOnce);
    }

    /// <summary>Begins an upgrade, which goes on in the background.</summary>
    /// <param name="who">The origin of the request, for the log.</param>
    public void Upgrade(string who) => _upgrade!.Upgrader.Begin(who, null, out _);

    /// <summary>The daemon is to stop: an upgrade under way is given up, unless it cannot be any more.</summary>
    public Task EndUpgradeAsync() => _upgrade?.Upgrader.StopAsync() ?? Task.CompletedTask;

    /// <summary>
    /// Ends this process's part after a new process has taken over (<see cref="Replaced"/>): what both share (listening sockets, files, a place in the
    /// fleet) is left as it is. Connections that are still here end as with a stop.
    /// </summary>
    public async Task LeaveAsync(CancellationToken atOnce)
    {
        if (Connections > 0)
        {
            await StopAsync(Config.Balancer.ShutdownGrace, atOnce);
        }
        else
        {
            await _control!.DisposeAsync();
        }

        await _records!.DisposeAsync();
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

    private IReadOnlyCollection<ICarriedCounters> CountingOf(FirstState first, BalancerMetrics? metrics, DnsCounters? questions) =>
        [_recovered, first.Discovery, .. metrics?.Carried ?? [], .. questions is null ? Array.Empty<ICarriedCounters>() : [questions]];

    private BalancerMetrics MetricsOf(BalancerConfig config, FirstState first, DnsCounters? questions) => new(
        () => Snapshot, () => _engine, _clock, DescriptorBudget.WorkersOf(config.Balancer), questions, () => _fleet?.Status)
    {
        Discovery = first.Discovery.Of,
        Recovered = _recovered,
    };

    private IReadOnlyList<ListenFailure> StartEngine(
        BalancerSettings settings, DescriptorBudget budget, RoutingSnapshot snapshot, IReadOnlyList<int> passed,
        IReadOnlyList<ListeningDescriptor> listening, ConnectionLedger? ledger)
    {
        _parts.Own(_records = new RecordLog(settings, _output, _servers.Metrics?.Durations, _clock, _loggers.CreateLogger<RecordLog>()));
        _parts.Own(_engine = EngineChoice.Create(settings.Engine, new EngineOptions
        {
            Clock = _clock,
            Records = _records,
            Loggers = _loggers,
            Workers = DescriptorBudget.WorkersOf(settings),
            PipesPerWorker = budget.PipesPerWorker,
            Held = new HeldMemory(HeldMemoryOf(settings)),
            Ledger = ledger,
            Inherited = passed,
            TakenOver = listening,
        }));
        IReadOnlyList<ListenFailure> failures = _engine.Start(snapshot);
        if (failures.Count == 0)
        {
            Keeper.Publish(_log);
        }

        return failures;
    }

    private ConnectionLedger? LedgerAfter(CrashRecovery? crash, DesiredState desired, RoutingSnapshot snapshot, DescriptorBudget budget)
    {
        ulong nextId = crash is not null && OperatingSystem.IsLinux() ? crash.NextId : 0;
        var shape = LedgerShape.For(DescriptorBudget.WorkersOf(desired.File.Balancer), snapshot.MaxConnections, budget.PipesPerWorker);
        ConnectionLedger? ledger = Keeper.CreateLedger(shape, Math.Max(1, nextId), _log);

        // Before it is published: from then on an heir takes what operators have set from this ledger, and not from those before.
        ledger?.SetOverrides(desired.Overrides.All);
        _servers.Sockets.Note(ledger);
        return ledger;
    }

    // The other process of an upgrade has ended in the middle of it.
    private async Task RecoverAsync(Survivors survivors, IReadOnlyList<MovingConnection> moving)
    {
        if (OperatingSystem.IsLinux())
        {
            using CrashRecovery? crash = CrashRecovery.Find(Keeper, _clock, _log);
            if (crash is not null)
            {
                await RecoverAsync(crash, survivors, moving);
            }
        }
    }

    // Another process had begun to take over when this one started, and may have ended before it was done.
    private void RecoverLater(Survivors survivors)
    {
        if (_hasRecovered || IsBeingReplaced || !OperatingSystem.IsLinux())
        {
            return;
        }

        using CrashRecovery? crash = CrashRecovery.FindAgain(Keeper, _clock, _log, out _hasRecovered);
        if (crash is not null)
        {
            RecoverAsync(crash, survivors, []).GetAwaiter().GetResult();
            _servers.Sockets.AreShared = false;
        }
    }

    // At the end of the start, when nothing can fail any more: what a start that fails has taken would be lost.
    [SupportedOSPlatform("linux")]
    private async Task RecoverAsync(CrashRecovery crash, Survivors survivors, IReadOnlyList<MovingConnection> moving)
    {
        if (!crash.IsAlone)
        {
            return;
        }

        await crash.TakeConnectionsAsync(_engine!, () => Snapshot, survivors, _records!, _recovered, moving);
        if (survivors.Made > 0)
        {
            await _control!.JoinAsync(survivors);
        }

        // No other process has the listening sockets any more: files of UNIX sockets are this one's to remove. Not in the middle of an upgrade.
        if (_engine!.Name == EpollEngine.EngineName && !IsBeingReplaced)
        {
            _engine.ResumeAccepting();
        }
    }

    // Known by the runtime as what the machine has, or the limit of its cgroup.
    private static long HeldMemoryOf(BalancerSettings settings) => settings.HeldMemory.Bytes > 0
        ? settings.HeldMemory.Bytes
        : GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / ShareOfMemory;

    private void CreateControl(DesiredState desired, FirstState first, DescriptorBudget budget, RoutingSnapshot snapshot, string? path)
    {
        Warn(desired.File);
        var control = new BalancerControl(
            new ActiveConfig(desired, snapshot), _engine!, first.Names, first.Discovery, budget.Limit, path, _clock, _loggers,
            OperatingSystem.IsLinux() ? Takeover?.Before : null);
        if (first.StateFile is not null)
        {
            var state = new StateWriter(first.StateFile, desired, _clock, _log);
            _parts.Own(state);
            control.State = state;
        }

        control.FileRead = FileStamp;
        control.Ledger = Keeper.Ledger;
        _parts.Own(_control = control);
        if (desired.File.Fleet is { } fleet)
        {
            _parts.Own(_fleet = FleetStart.Join(fleet, control, desired, _service, _clock, _loggers));
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
            _servers.Reloaded(now);
            Warn(now);
        };
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

        if (Keeper.Ledger is not null)
        {
            _parts.Own(new PeriodicJob("the look at the keeper", LooksAtKeeper, _clock, _log, () => Keeper.LookAfter(_log)));
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

    private async Task<string?> StartServersAsync(
        DesiredState desired, DescriptorBudget budget, DnsCounters? questions, CancellationToken hurry)
    {
        BalancerControl control = _control!;
        string? fault = await _servers.StartEndpointsAsync(control, desired, budget, hurry)
            ?? await _servers.StartAdminAsync(desired.File.Admin, control, _engine!, _fleet, _upgrade!.Upgrader, _output.Recent, hurry);
        return fault is null && questions is not null && OperatingSystem.IsLinux()
            ? await _servers.StartDnsAsync(control, _fleet, questions, desired.Seed) : fault;
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
