using L4Balancer.Configuration;
using L4Balancer.Control;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Handover;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Timing;
using L4Balancer.Engine;
using L4Balancer.Fleet;
using L4Balancer.Recovery;
using L4Balancer.Web;

namespace L4Balancer.Hosting;

/// <summary>The start of a daemon that goes on with nothing but the state file.</summary>
internal sealed class FreshStart : IStartKind
{
    public Preparation? Known => null;

    public IReadOnlyList<NamedDescriptor> ControlSockets => [];

    public bool SharesSockets => false;

    public ulong NextId => 0;

    public BackendOverrides? OverridesFor(SavedState? saved) => null;

    public DesiredState Continue(DesiredState desired) => desired;

    public Task<IReadOnlyList<ListeningDescriptor>> TakeSocketsAsync(IReadOnlyList<int> passed, RoutingSnapshot snapshot, Survivors survivors) =>
        Task.FromResult<IReadOnlyList<ListeningDescriptor>>([]);

    public void AddState(RoutingSnapshot snapshot, Survivors survivors, IReadOnlyCollection<ICarriedCounters> counting, Instant now)
    {
    }

    public Task CatchUpAsync(BalancerControl control, FleetService? fleet) => Task.CompletedTask;

    public Task ServeAsync(ConnectionRecovery recovery) => Task.CompletedTask;

    public void GiveUp(string why)
    {
    }

    public void Dispose()
    {
    }
}
