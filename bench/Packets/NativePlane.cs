using L4Balancer.Bench.Contestants;
using L4Balancer.Bench.Machine;
using L4Balancer.Core.Balancing;
using L4Balancer.Engine.Linux;
using L4Balancer.Engine.Packets;
using Microsoft.Extensions.Logging.Abstractions;

namespace L4Balancer.Bench.Packets;

/// <summary>
/// The packet plane as in the daemon, but attached to the driver of a veth device. The daemon does not do that by itself, as such a driver drops what is sent
/// back if its other end does not poll; here it does.
/// </summary>
internal static class NativePlane
{
    /// <summary>Attaches a program that passes everything to the other end, until this process ends: with one a veth device takes what is sent back.</summary>
    /// <param name="port">In the network of this thread.</param>
    /// <exception cref="InvalidOperationException">It cannot be attached.</exception>
    public static void LetPoll(string port)
    {
        var code = new BpfAssembler();
        code.Move(Register.R0, PacketHook.Xdp.Passed);
        code.Exit();
        using NetlinkSocket? netlink = NetlinkSocket.TryOpen(0, out _);
        if (netlink is null || InterfaceFacts.Read(netlink, port, out InterfaceFacts facts) != Errno.None)
        {
            throw new InvalidOperationException($"no interface {port}");
        }

        SysResult program = Bpf.Load(Libc.BPF_PROG_TYPE_XDP, code.ToProgram(), out _);
        SysResult link = program.IsError ? program : Bpf.Attach(program.Value, facts.Index, Libc.BPF_XDP, Libc.XDP_FLAGS_DRV_MODE);
        if (link.IsError)
        {
            throw new InvalidOperationException($"no program at {port}: {link}");
        }
    }

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
