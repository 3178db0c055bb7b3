using L4Balancer.Core.Accounting;
using L4Balancer.Core.Handover;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Timing;
using L4Balancer.Upgrade;

namespace L4Balancer.Hosting;

/// <summary>The control plane of a daemon, on its way to a new process.</summary>
/// <param name="snapshot">The one in force.</param>
/// <param name="counting">What counts outside of the snapshot.</param>
internal sealed class UpgradeParts(
    ControlServers servers, Func<RoutingSnapshot> snapshot, IReadOnlyCollection<ICarriedCounters> counting, TimeProvider clock) : IUpgradeParts
{
    private readonly BalancerImage _image = new(counting);

    public IReadOnlyList<UpgradeSocket> Sockets =>
        [.. servers.Sockets.All.Select(static s => new UpgradeSocket(UpgradeSocket.Control, s.Descriptor) { Name = s.Name })];

    public ReadOnlyMemory<byte> Prepare() => default;

    public Task PauseAsync()
    {
        servers.Sockets.AreShared = true;
        return servers.PauseAsync();
    }

    public void Resume()
    {
        servers.Sockets.AreShared = false;
        servers.Resume();
    }

    public ReadOnlyMemory<byte> State() => _image.Capture(snapshot(), Instant.Now(clock));

    public ReadOnlyMemory<byte> TakeDifferences() => _image.TakeDifference(snapshot(), Instant.Now(clock));

    public void Leave()
    {
    }
}
