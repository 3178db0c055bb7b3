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

    /// <summary>Takes what was found.</summary>
    /// <param name="moving">As above.</param>
    [SupportedOSPlatform("linux")]
    public async Task TakeAsync(CrashRecovery crash, IReadOnlyList<MovingConnection> moving)
    {
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
