using L4Balancer.Control;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Handover;
using L4Balancer.Core.Timing;
using L4Balancer.Discovery;
using L4Balancer.Fleet;
using L4Balancer.Packets;
using L4Balancer.Upgrade;

namespace L4Balancer.Hosting;

/// <summary>The control plane of a daemon, on its way to a new process.</summary>
/// <param name="fleet">Null without a fleet.</param>
/// <param name="counting">What counts outside of the snapshot.</param>
internal sealed class UpgradeParts(
    ControlServers servers, BalancerControl control, DiscoveryService discovery, FleetService? fleet, PacketForwarding packets,
    IReadOnlyCollection<ICarriedCounters> counting, TimeProvider clock) : IUpgradeParts
{
    /// <summary>Names of <see cref="UpgradeState.Parts"/>.</summary>
    public const string Fleet = "fleet";
    public const string Sheds = "sheds";
    public const string Later = "preparation";

    private readonly BalancerImage _image = new(counting);
    private bool _hasLeftFleet;

    public IReadOnlyList<UpgradeSocket> Sockets =>
        [.. servers.Sockets.All.Select(static s => new UpgradeSocket(UpgradeSocket.Control, s.Descriptor) { Name = s.Name })];

    public async Task<ReadOnlyMemory<byte>> PrepareAsync() => (await control.KnownAsync()).Prepare(discovery.Believed).ToBytes();

    public Task PauseAsync()
    {
        // The new process takes it over next.
        packets.Leave();
        servers.Sockets.AreShared = true;
        return servers.PauseAsync();
    }

    public void Resume()
    {
        servers.Sockets.AreShared = false;
        servers.Resume();
        packets.TakeBack(control.Snapshot);
        if (_hasLeftFleet)
        {
            _hasLeftFleet = false;
            fleet!.TakeBack();
        }
    }

    public async Task<UpgradeState> StateAsync(IReadOnlyList<UpgradeSocket> sockets)
    {
        Dictionary<string, ReadOnlyMemory<byte>> parts = [];
        if (fleet is not null)
        {
            _hasLeftFleet = true;
            parts[Fleet] = (await fleet.LetGoAsync()).ToBytes();
        }

        // Orders that were answered between the preparation and the pause hold in the new process too.
        ControlKnowledge known = await control.KnownAsync();
        parts[Later] = known.Prepare(discovery.Believed).ToBytes();
        parts[Sheds] = CarriedShed.ToBytes(known.Sheds);
        return new UpgradeState(_image.Capture(control.Snapshot, Instant.Now(clock)), sockets) { Parts = parts };
    }

    public ReadOnlyMemory<byte> TakeDifferences() => _image.TakeDifference(control.Snapshot, Instant.Now(clock));
}
