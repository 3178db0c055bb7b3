using System.Runtime.Versioning;
using L4Balancer.Admin;
using L4Balancer.Configuration;
using L4Balancer.Control;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Config;
using L4Balancer.Core.Handover;
using L4Balancer.Core.Timing;
using L4Balancer.Discovery;
using L4Balancer.Engine;
using L4Balancer.Engine.Linux;
using L4Balancer.Fleet;
using L4Balancer.Packets;
using L4Balancer.Recovery;
using L4Balancer.Systemd;
using L4Balancer.Upgrade;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Hosting;

/// <summary>Upgrades of a daemon: how it is replaced by a new process, and, where it has replaced one itself, how it takes over.</summary>
internal sealed class DaemonUpgrade : IDisposable
{
    /// <summary>The last line is written by another thread.</summary>
    private static readonly TimeSpan ForTheLog = TimeSpan.FromMilliseconds(200);

    /// <summary>
    /// The old process sends nothing while it waits for connections that are being set up (<see cref="UpgradeLimits.Connecting"/>).
    /// </summary>
    private static readonly TimeSpan ForOldProcess = TimeSpan.FromSeconds(60);

    private readonly IEngine _engine;
    private readonly BalancerControl _control;
    private readonly ControlServers _servers;
    private readonly ServiceReport _service;
    private readonly ServiceNotifications _systemd;
    private readonly long _descriptors;
    private readonly string? _path;
    private readonly TimeProvider _clock;
    private readonly ILoggerFactory _loggers;
    private readonly UpgradeThread _thread = new();
    private readonly TaskCompletionSource _main = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Task _following = Task.CompletedTask;
    private Upgrader? _upgrader;
    private volatile bool _isLeaving;

    /// <param name="descriptors">How many descriptors the process may hold.</param>
    /// <param name="path">The file of the configuration; null if it was not read from a file.</param>
    public DaemonUpgrade(
        IEngine engine, BalancerControl control, ControlServers servers, ServiceReport service, ServiceNotifications systemd,
        long descriptors, string? path, TimeProvider clock, ILoggerFactory loggers)
    {
        (_engine, _control, _servers, _service, _systemd) = (engine, control, servers, service, systemd);
        (_descriptors, _path, _clock, _loggers) = (descriptors, path, clock, loggers);
    }

    /// <summary>The process that this one replaces; null: none.</summary>
    public Takeover? Takeover { get; init; }

    /// <summary>Faults on demand for the first upgrade of this process.</summary>
    public UpgradeFaults Faults { get; init; } = UpgradeFaults.None;

    /// <summary>What counts outside of the snapshot, and goes over too.</summary>
    public IReadOnlyCollection<ICarriedCounters> Counting { get; init; } = [];

    public required DiscoveryService Discovery { get; init; }

    /// <summary>Null without a fleet.</summary>
    public FleetService? Fleet { get; init; }

    /// <summary>Goes over too: the kernel goes on by itself meanwhile.</summary>
    public required PacketForwarding Packets { get; init; }

    /// <summary>Whether connections outlive a kill of this process.</summary>
    public Func<bool> HasKeeper { get; init; } = static () => false;

    /// <summary>States for what the old process knows and the configuration does not.</summary>
    public required Survivors Survivors { get; init; }

    /// <summary>Takes what the keeper of the other process holds, which has ended in the middle of an upgrade.</summary>
    public Func<IReadOnlyList<MovingConnection>, Task> Recover { get; init; } = static _ => Task.CompletedTask;

    /// <summary>Replaces this process.</summary>
    public Upgrader Upgrader => _upgrader ??= new Upgrader(
        WhyNot, _path, () => OperatingSystem.IsLinux() ? Giver() : throw new PlatformNotSupportedException(),
        _control.Snapshot.State.Upgrades, OperatingSystem.IsLinux() ? Takeover?.Side.Run : null, Faults, _thread, _clock,
        _loggers.CreateLogger<Upgrader>())
    {
        Reload = ReloadAsync,
        Recover = given => Recover([.. given.Select(Moving).OfType<MovingConnection>()]),
    };

    /// <summary>Whether another process is the main one.</summary>
    public bool HasLeft { get; private set; }

    public static UpgradeHello HelloOf(BalancerConfig config, long descriptors) => new()
    {
        Build = $"{BuildVersion.Current.Version} ({BuildVersion.Current.Commit})",
        Process = Environment.ProcessId,
        DescriptorLimit = descriptors,
        ConfigHash = ConfigHash.Of(config),
    };

    /// <summary>Takes the connections of the old process, on a thread of its own; the daemon serves already.</summary>
    /// <param name="main">This is the main process of the service from now on.</param>
    [SupportedOSPlatform("linux")]
    public void Follow(Action main)
    {
        Takeover takeover = Takeover!;
        NewSide side = takeover.Side;
        var taker = new UpgradeTaker(
            _engine, () => _control.Snapshot, Survivors, side.OldProcess, _loggers.CreateLogger<UpgradeTaker>())
        {
            // Called on the thread of the upgrade, whose context does not run while it waits here.
            SurvivorsMade = () => Task.Run(() => _control.JoinAsync(Survivors)).GetAwaiter().GetResult(),
            Added = image => Takeover.Add(image, _control.Snapshot, Survivors, Counting, Instant.Now(_clock)),
            IsMain = () => BecomeMain(takeover, main),
            IsAlone = _ => GoOnAloneAsync(takeover, main),
            Recovers = () => Recover([]),
            IsStopping = () => _service.IsDraining || _isLeaving,
            Reloads = who => _ = Upgrader.HoldReload(who) ? Task.CompletedTask : ReloadAsync(who),
        };
        _following = _thread.RunAsync(() => Follow(takeover, taker));
    }

    /// <summary>
    /// This process is to stop. If it is still taking over, it says so to the old process, which goes on, and recovers from the keeper what
    /// this one has taken: nothing is closed here, and the old process ends this one. Completes if this is the main process, or replaces
    /// none.
    /// </summary>
    public async Task EndTakeoverAsync()
    {
        if (!OperatingSystem.IsLinux() || Takeover is not { } takeover)
        {
            return;
        }

        _isLeaving = true;
        await Task.WhenAny(_main.Task, _following, Task.Delay(ForOldProcess, _clock));
        if (!_main.Task.IsCompleted)
        {
            _loggers.CreateLogger<DaemonUpgrade>().LeavesToOldProcess(takeover.Side.OldProcess);
            await Task.Delay(ForTheLog);
            UpgradeFaults.Kill();
        }
    }

    private Task ReloadAsync(string who) => GuardedReload.RunAsync(_control.ReloadAsync, who, _loggers.CreateLogger<DaemonUpgrade>());

    private bool Follow(Takeover takeover, UpgradeTaker taker)
    {
        try
        {
            if (OperatingSystem.IsLinux())
            {
                takeover.Side.Follow(taker);
                bool isAlone = takeover.Side.WaitForEnd();
                _servers.Sockets.AreShared = !isAlone;
                if (isAlone && !Upgrader.IsBusy)
                {
                    // The files of UNIX sockets are this process's to remove.
                    _engine.ResumeAccepting();
                }
            }
        }
        catch (Exception e)
        {
            _loggers.CreateLogger<DaemonUpgrade>().TakingOverBroke(OperatingSystem.IsLinux() ? takeover.Side.OldProcess : 0, e);
        }
        finally
        {
            if (OperatingSystem.IsLinux())
            {
                takeover.Dispose();
            }
        }

        return true;
    }

    [SupportedOSPlatform("linux")]
    private void BecomeMain(Takeover takeover, Action main)
    {
        _main.TrySetResult();
        NewSide side = takeover.Side;
        if (takeover.State.Parts.TryGetValue(UpgradeParts.Sheds, out ReadOnlyMemory<byte> sheds))
        {
            // All connections are here, so that what was being closed at a pace goes on.
            _control.ContinueShedsAsync(CarriedShed.Read(sheds.Span, out _), ConnectionFilter.Again).GetAwaiter().GetResult();
        }

        _control.Snapshot.State.Upgrades.Count(success: true);
        UpgradeProgress now = side.Run!.Now;
        _loggers.CreateLogger<DaemonUpgrade>().HasReplaced(side.OldProcess, now.Moved, now.Left);
        main();
        Upgrader.ReleaseReloads();
    }

    [SupportedOSPlatform("linux")]
    private async Task GoOnAloneAsync(Takeover takeover, Action main)
    {
        if (_systemd.IsEnabled && HasKeeper())
        {
            // The manager starts another process, because the one that it knows has ended; two would fight for the addresses.
            _loggers.CreateLogger<DaemonUpgrade>().EndsForManager(takeover.Side.OldProcess);
            await Task.Delay(ForTheLog);
            UpgradeFaults.Kill();
        }

        await Recover([]);
        BecomeMain(takeover, main);
    }

    private static MovingConnection? Moving(UpgradeConnection c) => CarriedRecord.Read(c.Record.Span, out _) is { } record
        ? new MovingConnection(
            record with { LastActivity = c.LastActivity }, c.ClientCookie, c.BackendCookie, c.ClientIsUnix, c.ToBackend, c.ToClient,
            HasPipe: c.PipeToBackend is not null || c.PipeToClient is not null)
        : null;

    public void Dispose() => _upgrader?.Dispose();

    private string? WhyNot() =>
        _service.IsDraining ? "this process is stopping"
        : _engine.LoopStatistics().Count == 0
            ? $"the engine \"{_engine.Name}\" cannot hand connections over: an upgrade needs engine = \"epoll\""
        : null;

    [SupportedOSPlatform("linux")]
    private UpgradeGiver Giver()
    {
        var parts = new UpgradeParts(_servers, _control, Discovery, Fleet, Packets, Counting, _clock);
        UpgradeHello hello = HelloOf(_control.Config, _descriptors);
        return new UpgradeGiver(_engine, hello, parts, LeaveTo) { Resumed = () => HasLeft = false };
    }

    private void LeaveTo(int process)
    {
        HasLeft = true;
        _systemd.HandOver(process);
    }
}
