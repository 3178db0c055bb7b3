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

/// <summary>
/// What a daemon goes on with as it starts: nothing, what a daemon that crashed has left, or the work of a process that it replaces. The members
/// are in the order in which <see cref="Daemon"/> calls them. One thread at a time.
/// </summary>
internal interface IStartKind : IDisposable
{
    /// <summary>What the process before knew; null: there was none, or this version cannot read it.</summary>
    Preparation? Known { get; }

    /// <summary>What operators had set, unless <see cref="Known"/> says it.</summary>
    /// <param name="saved">What is in the state file; null: there is none.</param>
    /// <returns>Null: what is in the state file holds.</returns>
    BackendOverrides? OverridesFor(SavedState? saved);

    /// <summary>Numbers the configuration.</summary>
    DesiredState Continue(DesiredState desired);

    /// <summary>Takes the listening sockets. Before anything is bound, so that the ports are never free meanwhile.</summary>
    /// <param name="passed">Sockets that the service manager has passed.</param>
    /// <returns>Those of listeners; the engine owns them once it has started.</returns>
    /// <exception cref="L4Balancer.Upgrade.UpgradeException">The upgrade cannot go on.</exception>
    Task<IReadOnlyList<ListeningDescriptor>> TakeSocketsAsync(IReadOnlyList<int> passed, RoutingSnapshot snapshot, Survivors survivors);

    /// <summary>The listening sockets of the control plane, after <see cref="TakeSocketsAsync"/>.</summary>
    IReadOnlyList<NamedDescriptor> ControlSockets { get; }

    /// <summary>Whether another process listens at <see cref="ControlSockets"/> too.</summary>
    bool SharesSockets { get; }

    /// <summary>Adds what has been counted. Before anything counts or is shown here; later calls change nothing.</summary>
    /// <param name="counting">What counts outside of the snapshot.</param>
    /// <exception cref="L4Balancer.Upgrade.UpgradeException">It cannot be read.</exception>
    void AddState(RoutingSnapshot snapshot, Survivors survivors, IReadOnlyCollection<ICarriedCounters> counting, Instant now);

    /// <summary>The lowest id that no connection has had; 0: not known.</summary>
    ulong NextId { get; }

    /// <summary>Brings the control plane to what has changed since <see cref="Known"/>.</summary>
    /// <param name="fleet">Null without a fleet.</param>
    Task CatchUpAsync(BalancerControl control, FleetService? fleet);

    /// <summary>Everything serves, and nothing can fail any more: what a start that fails had taken would be lost.</summary>
    /// <exception cref="L4Balancer.Upgrade.UpgradeException">The upgrade cannot go on.</exception>
    Task ServeAsync(ConnectionRecovery recovery);

    /// <summary>The start has failed.</summary>
    /// <param name="why">For the process before, if it is still there.</param>
    void GiveUp(string why);
}
