using L4Balancer.Control;
using L4Balancer.Engine;
using L4Balancer.Platform;
using L4Balancer.Recovery;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Hosting;

/// <summary>
/// What a daemon looks at by itself while it serves: its file, its ports and addresses, its keeper. One thread at a time.
/// </summary>
internal sealed class DaemonWatches(TimeProvider clock, ILoggerFactory loggers, ILogger log) : IAsyncDisposable
{
    /// <summary>For this long a keeper that was killed may be missing.</summary>
    private static readonly TimeSpan LooksAtKeeper = TimeSpan.FromSeconds(1);

    private readonly OwnedResources _parts = new();
    private FileWatch? _file;

    /// <param name="path">The file of the configuration; null if it was not read from a file.</param>
    /// <param name="isHeld">Whether a reload must not begin now.</param>
    public void Start(string? path, BalancerControl control, Func<bool> isHeld, IEngine engine, ConnectionKeeper keeper)
    {
        if (path is not null)
        {
            _parts.Own(_file = new FileWatch(path, () => control.FileRead, control.ReloadAsync, clock, loggers.CreateLogger<FileWatch>())
            {
                IsHeld = isHeld,
            });
            _file.Set(control.Config.Balancer.Watch);
        }

        _parts.Own(new PortWatch(() => control.Snapshot, LocalPorts.Range, clock, loggers.CreateLogger<PortWatch>()));
        _parts.Own(new SourceWatch(() => control.Snapshot, clock, loggers.CreateLogger<SourceWatch>()));
        if (engine.LoopStatistics().Count > 0)
        {
            _parts.Own(new QuietControlPlane(clock, loggers.CreateLogger<QuietControlPlane>()));
        }

        if (keeper.Ledger is not null)
        {
            _parts.Own(new PeriodicJob("the look at the keeper", LooksAtKeeper, clock, log, () => keeper.LookAfter(log)));
        }
    }

    /// <summary>The start is over: connections that it has left to another process are looked for, until that has ended or is done.</summary>
    public void Started(ConnectionRecovery recovery)
    {
        if (recovery.IsLeftToOther)
        {
            _parts.Own(new PeriodicJob("the look at what a crashed daemon has left", LooksAtKeeper, clock, log, recovery.FindRest));
        }
    }

    /// <summary>Another configuration is in force.</summary>
    public void Reloaded(bool watch) => _file?.Set(watch);

    public ValueTask DisposeAsync() => _parts.DisposeAsync();
}
