using System.Collections.Immutable;
using System.Text;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Balancing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Routing;
using L4Balancer.Engine.Packets;
using PacketForward = L4Balancer.Core.Config.PacketForward;

namespace L4Balancer.Packets;

/// <summary>The packet listeners of a snapshot as what forwards packets has to know them.</summary>
internal static class PacketListeners
{
    public static ImmutableArray<PacketListener> Of(RoutingSnapshot snapshot) =>
        [.. snapshot.Listeners.Where(static l => l.IsPacket).Select(static l => Of(l))];

    /// <summary>Who takes the new flows of a listener at this moment, and which backends keep those that they have.</summary>
    public static PacketChoice ChoiceOf(Listener listener) => new(listener.Pool.Flatten(), [.. listener.Pool.Backends.Select(Target)]);

    /// <summary>
    /// What names a backend among those of a listener, for its flows: name and address as written, as for a backend's state. A backend with another address in the
    /// file is another one; a host name that resolves to another address is the same one at a new place.
    /// </summary>
    public static string IdentityOf(Backend backend)
    {
        string text = $"{backend.Name} {backend.Settings.Address}";
        return Encoding.UTF8.GetByteCount(text) <= PacketTarget.LongestIdentity
            ? text : $"{backend.Name} {new RouteKey(Encoding.UTF8.GetBytes(backend.Settings.Address)).Hash(seed: 0):x16}";
    }

    private static PacketListener Of(Listener listener) => new()
    {
        Name = listener.Name,
        Interface = listener.Settings.Interface,
        Binds = listener.Settings.Bind,
        Forward = listener.Settings.Forward == PacketForward.Ipip ? Engine.Packets.PacketForward.Encapsulated : Engine.Packets.PacketForward.SameSegment,
        Flows = listener.Settings.Flows,
        SecondChance = listener.Settings.SecondChance,
        BySource = listener.Pool.Settings.HashKey == TupleFields.SourceIp,
        Choice = ChoiceOf(listener),
    };

    // As with relayed connections, those of a backend that is down or drained stay until they end by themselves.
    private static PacketTarget Target(Backend backend) => new(IdentityOf(backend), backend.Endpoint.Address, KeepsFlows: backend.IsResolved);
}
