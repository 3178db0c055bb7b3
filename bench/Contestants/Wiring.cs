using L4Balancer.Bench.Peers;
using L4Balancer.Core.Addressing;

namespace L4Balancer.Bench.Contestants;

/// <summary>Where a contestant listens and whom it connects to: one port and one pool for each role of the backends.</summary>
/// <param name="ListenBase">Its own port of a role is this plus the role.</param>
/// <param name="PeerBase">The backends' likewise.</param>
internal sealed record Wiring(ushort ListenBase, ushort PeerBase, Duty Duty)
{
    public static IReadOnlyList<PeerRole> Roles { get; } = [PeerRole.Echo, PeerRole.Sink, PeerRole.Source];

    public static string Name(PeerRole role) => role.ToString().ToLowerInvariant();

    public Endpoint Listen(PeerRole role) => new(HostAddress.FromV4(0x7F00_0001), (ushort)(ListenBase + (int)role));

    public IEnumerable<Endpoint> Backends(PeerRole role) =>
        Enumerable.Range(0, PeerProcess.Backends).Select(i => new Endpoint(PeerProcess.Address(i), (ushort)(PeerBase + (int)role)));
}
