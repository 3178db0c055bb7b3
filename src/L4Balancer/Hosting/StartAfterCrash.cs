using System.Runtime.Versioning;
using L4Balancer.Configuration;
using L4Balancer.Control;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Config;
using L4Balancer.Core.Handover;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Timing;
using L4Balancer.Engine;
using L4Balancer.Fleet;
using L4Balancer.Recovery;
using L4Balancer.Web;

namespace L4Balancer.Hosting;

/// <summary>The start of a daemon after one that crashed, and left a keeper or a ledger.</summary>
[SupportedOSPlatform("linux")]
internal sealed class StartAfterCrash(CrashRecovery crash, BalancerConfig config) : IStartKind
{
    public Preparation? Known => null;

    public IReadOnlyList<NamedDescriptor> ControlSockets => crash.Control;

    public bool SharesSockets => !crash.IsAlone;

    public ulong NextId => crash.NextId;

    public BackendOverrides? OverridesFor(SavedState? saved) => crash.OverridesFor(config, saved);

    public DesiredState Continue(DesiredState desired) => desired;

    // Who connects meanwhile waits in the queues of these sockets.
    public Task<IReadOnlyList<ListeningDescriptor>> TakeSocketsAsync(IReadOnlyList<int> passed, RoutingSnapshot snapshot, Survivors survivors)
    {
        crash.TakeListening(config, passed);
        crash.Prepare(snapshot, survivors);
        return Task.FromResult(crash.Listening);
    }

    // What the other one had counted is lost with it.
    public void AddState(RoutingSnapshot snapshot, Survivors survivors, IReadOnlyCollection<ICarriedCounters> counting, Instant now)
    {
    }

    public Task CatchUpAsync(BalancerControl control, FleetService? fleet) => Task.CompletedTask;

    public Task ServeAsync(ConnectionRecovery recovery) => recovery.TakeAsync(crash, []);

    public void GiveUp(string why)
    {
    }

    public void Dispose() => crash.Dispose();
}
