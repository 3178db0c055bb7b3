using System.Collections.Immutable;
using L4Balancer.Admin;
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
using L4Balancer.Fleet;
using L4Balancer.Logging;
using L4Balancer.Packets;
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
/// parts; they are disposed of in the reverse order. What it goes on with from a process before is an <see cref="IStartKind"/>.
/// </summary>
/// <remarks>A little over 300 lines: start, serve and stop are to be read one after the other.</remarks>
internal sealed class Daemon : IAsyncDisposable
{
    private readonly TimeProvider _clock;
    private readonly LogOutput _output;
    private readonly LevelSwitch _level;
    private readonly ILoggerFactory _loggers;
    private readonly ServiceNotifications _systemd;
    private readonly ServiceReport _service;
    private readonly ServiceManagerLink _manager;
    private readonly ILogger _log;
    private readonly OwnedResources _parts = new();
    private readonly ControlServers _servers;
    private readonly DaemonWatches _watches;
    private volatile BalancerControl? _control;
    private volatile RoutingSnapshot? _first;
    private volatile DataPlane? _data;
    private volatile FleetService? _fleet;
    private volatile PacketForwarding? _packets;
    private DaemonUpgrade? _upgrade;

    public Daemon(TimeProvider clock, LogOutput output, LevelSwitch level, ILoggerFactory loggers, ServiceNotifications systemd)
    {
        (_clock, _output, _level, _loggers, _systemd) = (clock, output, level, loggers, systemd);
        _log = loggers.CreateLogger<Daemon>();
        _service = new ServiceReport(systemd, Status);
        _manager = new ServiceManagerLink(systemd, _service, clock, loggers);
        _servers = new ControlServers(_service, _parts, clock, loggers);
        _watches = new DaemonWatches(clock, loggers, _log);
    }

    /// <summary>Resolves host names; blocks and must not throw.</summary>
    public Func<string, LookUp> Resolver { get; init; } = LookUp.OfSystem;

    /// <summary>The stamp of the file that was read before the start (<see cref="ConfigFile.Stamp"/>).</summary>
    public object? FileStamp { get; init; }

    /// <summary>
    /// What lets connections outlive this daemon. It is this object's from <see cref="StartAsync"/> on, but may be stopped before.
    /// </summary>
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
    public int Connections => Engine?.Count ?? 0;

    /// <summary>The listening addresses in the order of the configuration, with the ports that the kernel chose.</summary>
    public IReadOnlyList<Endpoint> Bound => Engine?.Bound ?? [];

    /// <summary>Null if there is no metrics listener.</summary>
    public string? MetricsUrl => _servers.MetricsUrl;

    /// <summary>The status page; null if the admin API is not on TCP.</summary>
    public string? PageUrl => _servers.PageUrl;

    /// <summary>The configuration in force, including the durations of the shutdown.</summary>
    public BalancerConfig Config => _control!.Config;

    private IEngine? Engine => _data?.Engine;

    // The first snapshot applies until the control plane exists.
    private RoutingSnapshot Snapshot => _control?.Snapshot ?? _first!;

    private PacketTotals PacketTotals() => _packets?.Totals(Snapshot) ?? Packets.PacketTotals.Empty;

    /// <summary>Starts all parts. After a failure the caller disposes of this object, which removes the parts that were started.</summary>
    /// <param name="path">The file of the configuration, for reloads; null if it was not read from a file.</param>
    /// <param name="hurry">
    /// Cancelled when the daemon is to stop as soon as it has started: files that are read slowly are no longer waited for.
    /// </param>
    /// <returns>The errors, one line each with how to correct it; empty if the daemon runs.</returns>
    public async Task<ImmutableArray<string>> StartAsync(BalancerConfig config, string? path, CancellationToken hurry = default)
    {
        ImmutableArray<string> lacking = PlatformNeeds.Missing(config);
        if (!lacking.IsEmpty)
        {
            return Failed(lacking);
        }

        // Its ledger is unmapped when nothing writes to it any more.
        _parts.Own(Keeper);
        DescriptorBudget budget = DescriptorBudget.For(config, HostLimits.Raise(_log));
        if (budget.WhyNot() is string noRoom)
        {
            return Failed([noRoom]);
        }

        try
        {
            using IStartKind from = await StartChoice.BeginAsync(Takeover, Keeper, config, budget.Limit, _clock, _log);
            return Failed(await StartPartsAsync(config, budget, path, from, hurry));
        }
        catch (UpgradeException e)
        {
            return [$"the upgrade cannot go on: {e.Message}"];
        }
    }

    // The other process is told at once, and has not to find out.
    private ImmutableArray<string> Failed(ImmutableArray<string> faults)
    {
        if (!faults.IsEmpty && OperatingSystem.IsLinux())
        {
            Takeover?.Side.GiveUp(faults[0]);
        }

        return faults;
    }

    private async Task<ImmutableArray<string>> StartPartsAsync(
        BalancerConfig config, DescriptorBudget budget, string? path, IStartKind from, CancellationToken hurry)
    {
        var first = new FirstState(() => _control, _clock, _loggers, _log)
        { Resolver = Resolver, Before = from.Known, Crashed = from.OverridesFor };
        DesiredState desired = from.Continue(await first.GatherAsync(config, budget, path, _parts, hurry));
        ImmutableArray<string> loops = first.Names.SelfConnects(config);
        if (!loops.IsEmpty)
        {
            return loops;
        }

        var survivors = new Survivors(desired.Seed);
        RoutingSnapshot snapshot = _first = RoutingSnapshot.Build(desired);
        HealthBoard.Mark(snapshot, from.Known?.Health ?? []);
        snapshot.Ports.Supply.Range = LocalPorts.Range();
        string engine = EngineChoice.NameOf(config.Balancer.Engine);
        _log.Starting(BuildVersion.Current.Version, engine, snapshot.MaxConnections, budget.Limit, budget.Reserve);
        IReadOnlyList<int> passed = OperatingSystem.IsLinux() ? ListenDescriptors.Take(_log) : [];
        IReadOnlyList<ListeningDescriptor> listening = await from.TakeSocketsAsync(passed, snapshot, survivors);
        _servers.Sockets = new ControlSockets(from.ControlSockets, _loggers.CreateLogger<ControlSockets>())
        { AreShared = from.SharesSockets };

        var counters = new DaemonCounters(first.Discovery, config.Dns is null ? null : new DnsCounters());
        int workers = DescriptorBudget.WorkersOf(config.Balancer);
        if (await _servers.StartMetricsAsync(
                config,
                () => counters.Metrics(() => Snapshot, () => Engine, () => _fleet?.Status, PacketTotals, workers, _clock),
                m => from.AddState(snapshot, survivors, counters.CarriedWith(m), Instant.Now(_clock)),
                () => _control?.Config ?? config)
            is string noMetrics)
        {
            return [noMetrics];
        }

        _first = snapshot = survivors.JoinTo(snapshot);
        PacketForwarding packets = _packets = PacketForwarding.Of(config, path, _clock, _loggers);
        _parts.Own(packets);
        bool isAlone = from.SharesSockets || from.ControlSockets.Count > 0 || !AdminSocket.IsAnothers(config.Admin.Socket);
        if (packets.Start(snapshot, isOfAnotherDaemon: !isAlone) is { Count: > 0 } unattached)
        {
            return [.. unattached.Select(static f => f.Message)];
        }

        DataPlane data = _data = new DataPlane(Keeper, _output, _clock, _loggers, _log);
        _parts.Own(data);
        _servers.Sockets.Note(data.CreateLedger(desired, snapshot, budget, from.NextId));
        if (data.Start(config.Balancer, budget, snapshot, passed, listening, _servers.Metrics) is { Count: > 0 } failures)
        {
            return [.. failures.Select(f => f.Message + HeldPorts.Explain(f))];
        }

        HostLimits.Warn(config, _log);
        BalancerControl control = _control = ControlStart.Create(
            new ActiveConfig(desired, snapshot), first, data.Engine, packets, budget, path, _parts, _clock, _loggers, _log);
        control.FileRead = FileStamp;
        control.Ledger = Keeper.Ledger;
        _fleet = FleetStart.Join(config.Fleet, control, desired, _service, _parts, _clock, _loggers);
        ControlStart.Connect(control, _service, Reloaded);
        var recovery = new ConnectionRecovery(Keeper, data.Engine, control, survivors, data.Records, counters.Recovered, _clock, _log)
        { SharesSockets = () => IsBeingReplaced, SocketsAreOwn = () => _servers.Sockets.AreShared = false };
        _parts.Own(_upgrade = new DaemonUpgrade(data.Engine, control, _servers, _service, _systemd, budget.Limit, path, _clock, _loggers)
        {
            Takeover = Takeover,
            Faults = Faults,
            Counting = counters.CarriedWith(_servers.Metrics),
            Discovery = first.Discovery,
            Fleet = _fleet,
            Packets = packets,
            Survivors = survivors,
            HasKeeper = () => Keeper.Process != 0,
            Recover = recovery.FindAsync,
        });
        _parts.Own(_watches);
        _watches.Start(path, control, () => IsBeingReplaced, data.Engine, Keeper);
        control.Start();
        await from.CatchUpAsync(control, _fleet);
        _fleet?.Start();
        string? fault = await _servers.StartEndpointsAsync(control, desired, budget, hurry)
            ?? await _servers.StartAdminAsync(config.Admin, control, data.Engine, _fleet, PacketTotals, _upgrade.Upgrader, _output.Recent, hurry)
            ?? await _servers.StartDnsAsync(control, _fleet, counters.Questions, desired.Seed);
        if (fault is not null)
        {
            return [fault];
        }

        _servers.Sockets.CloseRest();
        control.ReadDependencies = _servers.ReadDependencies;
        await from.ServeAsync(recovery);
        _watches.Started(recovery);

        // The start leaves garbage that would stay resident until the first collection, which a daemon with quiet connections may not need
        // for days. An aggressive collection returns the freed pages to the system.
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        packets.Serve();
        BeginToServe();
        return [];
    }

    private void Reloaded(BalancerConfig now)
    {
        _level.Set(now.Balancer.LogLevel);
        _data!.Reloaded(now.Balancer);
        _watches.Reloaded(now.Balancer.Watch);
        _servers.Reloaded(now);
        HostLimits.Warn(now, _log);
    }

    private void BeginToServe()
    {
        _parts.Own(_manager);
        void BecomeMain() => _manager.BecomeMain(_control!, Engine!);
        if (Takeover is not null && OperatingSystem.IsLinux())
        {
            _log.Ready(Status());
            _upgrade!.Follow(BecomeMain);
        }
        else
        {
            BecomeMain();
            _log.Ready(Status());
        }
    }

    /// <summary>Reads the configuration again, and notifies the service manager.</summary>
    /// <param name="who">The origin of the request, for the log.</param>
    public async Task ReloadAsync(string who) => await _control!.ReloadAsync(who);

    /// <summary>Whether an upgrade is under way, so that a reload is held back: the process that serves afterwards does it.</summary>
    /// <param name="who">As of <see cref="ReloadAsync"/>.</param>
    public bool HoldsReload(string who) => _upgrade?.Upgrader.HoldReload(who) == true;

    /// <summary>Begins an upgrade, which goes on in the background.</summary>
    /// <param name="who">The origin of the request, for the log.</param>
    public void Upgrade(string who) => _upgrade!.Upgrader.Begin(who, null, out _);

    /// <summary>The daemon is to stop: an upgrade under way is given up, unless it cannot be any more.</summary>
    public Task EndUpgradeAsync() => _upgrade?.Upgrader.StopAsync() ?? Task.CompletedTask;

    /// <summary>
    /// The daemon is to stop: if it has not replaced another process yet, it leaves everything to that one, and ends here.
    /// </summary>
    public Task EndTakeoverAsync() => _upgrade?.EndTakeoverAsync() ?? Task.CompletedTask;

    /// <summary>Reports not ready from now on; connections are still accepted.</summary>
    public void Drain()
    {
        _manager.Draining(Config.Balancer.ShutdownDelay + Config.Balancer.ShutdownGrace);
        _fleet?.Changed();
    }

    /// <summary>
    /// Accepts no new connections from now on; the established ones end within the grace. Packets are sent on until then.
    /// </summary>
    /// <param name="atOnce">Cancels the rest of the grace.</param>
    public async Task StopAsync(TimeSpan grace, CancellationToken atOnce)
    {
        await _control!.DisposeAsync();
        await _servers.EndOwnAddressAsync(hasFleet: _fleet is not null);
        await Engine!.StopAsync(grace, atOnce);
        _packets!.Stop();
    }

    /// <summary>
    /// Ends this process's part after a new process has taken over (<see cref="Replaced"/>): what both share (listening sockets, files, a
    /// place in the fleet) is left as it is. Connections that are still here end as with a stop.
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

        await _data!.Records.DisposeAsync();
    }

    public ValueTask DisposeAsync() => _parts.DisposeAsync();

    private string Status() => ServiceReport.Describe(Snapshot, Bound.Count);
}
