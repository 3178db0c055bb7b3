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
using Microsoft.Extensions.Logging;

namespace L4Balancer.Hosting;

/// <summary>The start of a daemon that replaces a process, which serves until this one does. Connections follow after the start.</summary>
[SupportedOSPlatform("linux")]
internal sealed class StartInUpgrade : IStartKind
{
    private readonly Takeover _takeover;
    private readonly BalancerConfig _config;

    private StartInUpgrade(Takeover takeover, BalancerConfig config) => (_takeover, _config) = (takeover, config);

    /// <summary>Agrees with the old process on the upgrade.</summary>
    /// <param name="descriptors">How many descriptors this process may hold.</param>
    /// <exception cref="L4Balancer.Upgrade.UpgradeException">The upgrade cannot go on.</exception>
    public static async Task<StartInUpgrade> BeginAsync(Takeover takeover, BalancerConfig config, long descriptors, ILogger log)
    {
        await takeover.PrepareAsync(DaemonUpgrade.HelloOf(config, descriptors));
        log.Replacing(takeover.Side.OldProcess, takeover.Old!.Build, takeover.Preparation!.Who);
        return new StartInUpgrade(takeover, config);
    }

    public Preparation? Known => _takeover.Before;

    public IReadOnlyList<NamedDescriptor> ControlSockets => _takeover.ControlSockets;

    public bool SharesSockets => true;

    // The old process's state has it.
    public ulong NextId => 0;

    public BackendOverrides? OverridesFor(SavedState? saved) => null;

    public DesiredState Continue(DesiredState desired) => Known is { } known
        ? desired.AsGeneration(known.Generation + (_takeover.Old!.ConfigHash == ConfigHash.Of(_config) ? 0 : 1))
        : desired;

    public async Task<IReadOnlyList<ListeningDescriptor>> TakeSocketsAsync(IReadOnlyList<int> passed, RoutingSnapshot snapshot, Survivors survivors)
    {
        await _takeover.TakeStateAsync();
        return _takeover.Listening;
    }

    public void AddState(RoutingSnapshot snapshot, Survivors survivors, IReadOnlyCollection<ICarriedCounters> counting, Instant now) =>
        _takeover.AddState(snapshot, survivors, counting, now);

    public async Task CatchUpAsync(BalancerControl control, FleetService? fleet)
    {
        if (_takeover.Later is { } later)
        {
            await control.CatchUpAsync(later);
        }

        if (_takeover.Membership is { } membership)
        {
            fleet?.GoOnAs(membership);
        }
    }

    public Task ServeAsync(ConnectionRecovery recovery) => _takeover.ServingAsync();

    public void GiveUp(string why) => _takeover.Side.GiveUp(why);

    // Connections follow, so that the channel to the old process lives on.
    public void Dispose()
    {
    }
}
