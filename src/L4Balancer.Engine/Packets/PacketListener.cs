using System.Collections.Immutable;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Balancing;

namespace L4Balancer.Engine.Packets;

/// <summary>A listener with <c>mode = "packet"</c>: what the kernel sends on, from where and how. Immutable; any thread.</summary>
public sealed record PacketListener
{
    /// <summary>As in the configuration. Flows and counters belong to it across reloads, upgrades and crashes.</summary>
    public required string Name { get; init; }

    /// <summary>The network interface that packets arrive at, and leave by again.</summary>
    public required string Interface { get; init; }

    /// <summary>The virtual addresses with their ports: IPv4 and IPv6, no UNIX sockets, no port 0, and none that another listener has.</summary>
    public required ImmutableArray<Endpoint> Binds { get; init; }

    public PacketForward Forward { get; init; } = PacketForward.SameSegment;

    /// <summary>How many flows are remembered; 0: none.</summary>
    public int Flows { get; init; } = 1_000_000;

    /// <summary>The choice is by the address of the client alone (<c>hash_key = ["source-ip"]</c>), otherwise by the whole tuple.</summary>
    public bool BySource { get; init; }

    /// <summary>
    /// Packets in tunnels name the backend that the table before the last change would choose, so that a backend without the connection can send
    /// them on (docs/packet-backends.md). Only with <see cref="PacketForward.Encapsulated"/>; otherwise it changes nothing.
    /// </summary>
    public bool SecondChance { get; init; }

    /// <summary>Who takes new flows.</summary>
    public required PacketChoice Choice { get; init; }
}

/// <summary>How packets get to a backend.</summary>
public enum PacketForward
{
    /// <summary><c>forward = "l2"</c>: the backend is on the segment of the interface, and only the Ethernet header changes.</summary>
    SameSegment,

    /// <summary><c>forward = "ipip"</c>: in an outer IP header to the address of the backend.</summary>
    Encapsulated,
}

/// <summary>The backends of a listener, and which of them take new flows. Immutable; any thread.</summary>
/// <param name="Table">The table of the pool; its members are indexes of <paramref name="Targets"/>.</param>
/// <param name="Targets">All backends of the pool, those that take no new flows too: a flow that one of these has may stay with it.</param>
public sealed record PacketChoice(FlatTable Table, ImmutableArray<PacketTarget> Targets);

/// <summary>A backend of a packet listener.</summary>
/// <param name="Identity">
/// What names it across reloads, upgrades and crashes, as text: its flows and its counters stay with it as long as this is the same. At most
/// <see cref="LongestIdentity"/> bytes of UTF-8, each once in a listener.
/// </param>
/// <param name="Address">Where packets go. It may change while the identity stays.</param>
/// <param name="KeepsFlows">
/// Whether its established flows stay with it. False: their packets go to the backend that would be chosen now, which resets them, so that the clients
/// come again at once.
/// </param>
public sealed record PacketTarget(string Identity, HostAddress Address, bool KeepsFlows = true)
{
    public const int LongestIdentity = 200;
}
