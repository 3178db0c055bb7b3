using L4Balancer.Bench.Contestants;
using L4Balancer.Bench.Machine;
using L4Balancer.Core.Balancing;
using L4Balancer.Engine.Packets;
using Microsoft.Extensions.Logging.Abstractions;

namespace L4Balancer.Bench.Packets;

/// <summary>
/// The packet plane as in the daemon, but attached to the driver of a veth device. The daemon does not do that by itself, as such a driver drops what is sent
/// back if its other end does not poll; here it does.
/// </summary>
internal static class NativePlane
{
    /// <exception cref="PacketFaultException">It cannot be attached.</exception>
    public static PacketPlane Start(NetworkHost host, Wiring wiring, PacketForward forward)
    {
        RingMember[] members = [.. wiring.Hosts.Select(static (h, i) => new RingMember(i, $"{h}", 100))];
        var listener = new PacketListener
        {
            Name = "native",
            Interface = "eth0",
            Forward = forward,
            Binds = [.. Wiring.Roles.Select(wiring.Listen)],
            Choice = new PacketChoice(FlatTable.Build(members, static _ => true), [.. wiring.Hosts.Select(static h => new PacketTarget($"{h}", h))]),
        };
        var options = new PacketPlaneOptions
        {
            Folder = $"/proc/{host.Holder}/root{PacketPlaneOptions.DefaultRoot}/native",
            Loggers = NullLoggerFactory.Instance,
            Modes = [AttachMode.Native],
        };
        PacketPlane? plane = null;
        NetworkHost.In(host.Holder, () => plane = PacketPlane.Start(options, [listener]));
        return plane!;
    }
}
