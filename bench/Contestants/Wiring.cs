using L4Balancer.Bench.Peers;
using L4Balancer.Core.Addressing;

namespace L4Balancer.Bench.Contestants;

/// <summary>Where a contestant listens and whom it connects to: one port and one pool for each role of the backends.</summary>
/// <param name="ListenBase">Its own port of a role is this plus the role.</param>
/// <param name="PeerBase">The backends' likewise.</param>
internal sealed record Wiring(ushort ListenBase, ushort PeerBase, Duty Duty)
{
    public static IReadOnlyList<PeerRole> Roles { get; } = [PeerRole.Echo, PeerRole.Sink, PeerRole.Source];

    /// <summary>Where it listens.</summary>
    public HostAddress Address { get; init; } = HostAddress.FromV4(0x7F00_0001);

    public IReadOnlyList<HostAddress> Hosts { get; init; } = [.. Enumerable.Range(0, PeerProcess.Backends).Select(PeerProcess.Address)];

    public static string Name(PeerRole role) => role.ToString().ToLowerInvariant();

    public Endpoint Listen(PeerRole role) => new(Address, (ushort)(ListenBase + (int)role));

    public IEnumerable<Endpoint> Backends(PeerRole role) => Hosts.Select(h => new Endpoint(h, (ushort)(PeerBase + (int)role)));
}
