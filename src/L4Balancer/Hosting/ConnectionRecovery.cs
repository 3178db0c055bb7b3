using System.Runtime.Versioning;
using L4Balancer.Control;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Handover;
using L4Balancer.Engine;
using L4Balancer.Engine.Epoll;
using L4Balancer.Recovery;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Hosting;

/// <summary>Makes this daemon, which serves, go on with connections of others that have ended: after a crash, and in the middle of an upgrade.</summary>
/// <param name="survivors">States for what those knew and the configuration does not.</param>
/// <param name="records">Gets a record of each connection that is known and reset.</param>
internal sealed class ConnectionRecovery(
    ConnectionKeeper keeper, IEngine engine, BalancerControl control, Survivors survivors, IRecordSink records, RecoveryCounters counters, TimeProvider clock,
    ILogger log)
{
    /// <summary>Whether an upgrade is under way, whose other process listens at the same sockets.</summary>
    public Func<bool> SharesSockets { get; init; } = static () => false;

    /// <summary>Called once a process that had begun to take over has ended, and no other one has the listening sockets any more.</summary>
    public Action SocketsAreOwn { get; init; } = static () => { };

    /// <summary>Whether connections were left to another process, which had begun to take over and has not come to an end with it.</summary>
    public bool IsLeftToOther { get; private set; }

    /// <summary>The other process of an upgrade has ended in the middle of it: takes what its keeper has.</summary>
    /// <param name="moving">What was on its way to it, and no ledger names.</param>
    public async Task FindAsync(IReadOnlyList<MovingConnection> moving)
    {
        if (OperatingSystem.IsLinux())
        {
            using CrashRecovery? crash = CrashRecovery.Find(keeper, clock, log);
            if (crash is not null)
            {
                await TakeAsync(crash, moving);
            }
        }
    }

    /// <summary>Takes what was left to another process, if that has ended. Does not wait for it.</summary>
    public void FindRest()
    {
        if (IsLeftToOther && !SharesSockets() && OperatingSystem.IsLinux())
        {
            using CrashRecovery? crash = CrashRecovery.FindAgain(keeper, clock, log, out bool isLast);
            IsLeftToOther = !isLast;
            if (crash is not null)
            {
                TakeAsync(crash, []).GetAwaiter().GetResult();
                SocketsAreOwn();
            }
        }
    }

    /// <summary>Takes what was found, unless another process has begun with it.</summary>
    /// <param name="moving">As above.</param>
    [SupportedOSPlatform("linux")]
    public async Task TakeAsync(CrashRecovery crash, IReadOnlyList<MovingConnection> moving)
    {
        if (!crash.IsAlone)
        {
            IsLeftToOther = true;
            return;
        }

        await crash.TakeConnectionsAsync(engine, () => control.Snapshot, survivors, records, counters, moving);
        if (survivors.Made > 0)
        {
            await control.JoinAsync(survivors);
        }

        // No other process has the listening sockets any more: files of UNIX sockets are this one's to remove.
        if (engine.Name == EpollEngine.EngineName && !SharesSockets())
        {
            engine.ResumeAccepting();
        }
    }
}
