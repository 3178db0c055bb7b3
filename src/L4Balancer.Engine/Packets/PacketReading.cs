using System.Collections.Immutable;
using L4Balancer.Core.Addressing;

namespace L4Balancer.Engine.Packets;

/// <summary>What a packet plane has counted. Counters go on over reloads, upgrades and crashes, as the kernel keeps them.</summary>
/// <param name="Backends">Of every listener, in the order of its targets.</param>
/// <param name="Drops">Packets that were dropped, by reason; every reason is there.</param>
public sealed record PacketReading(
    ImmutableArray<PacketListenerReading> Listeners, ImmutableArray<PacketBackendReading> Backends, ImmutableArray<PacketDropReading> Drops)
{
    public static PacketReading Empty { get; } = new([], [], []);
}

/// <param name="Listener">Its name.</param>
/// <param name="Attachment">How its interface is attached to, as text for people: <c>XDP native on eth0</c>; empty if it is not.</param>
/// <param name="Flows">How many flows are remembered at present.</param>
public sealed record PacketListenerReading(string Listener, string Attachment, long Flows);

/// <param name="Listener">The name of the listener that has this backend as a target.</param>
/// <param name="Identity">As the target has it.</param>
/// <param name="Packets">Sent on to it.</param>
/// <param name="Bytes">Of these, with their Ethernet headers.</param>
/// <param name="Mac">Of the backend, or of the router towards it, as <c>02:00:00:00:01:07</c>; null while it is not known, and its packets are dropped.</param>
public sealed record PacketBackendReading(string Listener, string Identity, HostAddress Address, long Packets, long Bytes, string? Mac);

/// <param name="Reason">As in the label of the metric: <c>no-backend</c>.</param>
public sealed record PacketDropReading(string Reason, long Packets);
