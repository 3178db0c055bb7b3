using L4Balancer.Core.Routing;
using L4Balancer.Engine;

namespace L4Balancer.Control;

/// <summary>What sends on the packets of packet listeners. One call at a time; none waits for the network.</summary>
internal interface IPacketForwarding
{
    /// <summary>Puts the packet listeners of a snapshot in force, each with who takes new flows at this moment.</summary>
    /// <returns>
    /// Why it cannot: each interface has what was in force then, or the new; a call with the snapshot before restores that. Empty if they are in force.
    /// </returns>
    IReadOnlyList<ListenFailure> Configure(RoutingSnapshot next);

    /// <summary>Gives it who takes the new flows of a listener from now on.</summary>
    /// <returns>Why it could not, and what held still holds; null if it holds.</returns>
    string? Publish(Listener listener);
}

/// <summary>Nothing sends packets on: there are no packet listeners.</summary>
internal sealed class NoPackets : IPacketForwarding
{
    public static NoPackets Instance { get; } = new();

    public IReadOnlyList<ListenFailure> Configure(RoutingSnapshot next) =>
        [.. next.Listeners.Where(static l => l.IsPacket).Select(static l => new ListenFailure(
            l.Name, default, $"mode = \"packet\" (listener {l.Name}) needs Linux and a daemon; leave it out"))];

    public string? Publish(Listener listener) => null;
}
