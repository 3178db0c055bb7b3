using System.Collections.Immutable;
using System.Runtime.Versioning;
using L4Balancer.Core.Addressing;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Engine.Packets;

/// <summary>
/// What a backend of <c>forward = "ipip"</c> runs where it has no tunnel device: takes the outer headers off the packets of an interface, in the kernel,
/// until it is disposed of or the process ends. One thread at a time.
/// </summary>
[SupportedOSPlatform("linux")]
public sealed class Decapsulator : IDisposable
{
    private static readonly string[] Families = ["ipv4", "ipv6"];
    private static readonly AttachMode[] Modes = [AttachMode.Native, AttachMode.Generic];

    private readonly DecapsulationMaps _maps;
    private readonly int _link;

    private Decapsulator(DecapsulationMaps maps, int link, string attachment)
    {
        _maps = maps;
        _link = link;
        Attachment = attachment;
    }

    /// <summary>How it is attached, as text for people: <c>XDP native on eth0</c>.</summary>
    public string Attachment { get; }

    /// <param name="interfaceName">Where the tunnels arrive.</param>
    /// <param name="secondChance">Whether a packet of no connection goes on to the backend that its outer header names.</param>
    /// <param name="addresses">The virtual addresses; empty: packets to every address.</param>
    /// <exception cref="PacketFaultException">A right or a feature of the kernel is missing, or the interface.</exception>
    public static Decapsulator Attach(string interfaceName, bool secondChance, ImmutableArray<HostAddress> addresses)
    {
        InterfaceFacts facts = FactsOf(interfaceName);
        DecapsulationMaps maps = DecapsulationMaps.TryCreate(addresses, out Errno fault)
            ?? throw new PacketFaultException($"bpf(2): {fault}: CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON are needed, or root");
        SysResult program = Bpf.Load(Libc.BPF_PROG_TYPE_XDP, DecapsulationProgram.Assemble(maps, secondChance), out string log);
        if (program.IsError)
        {
            maps.Dispose();
            throw new PacketFaultException(
                $"the kernel does not load the program: {program.Errno}: CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON are needed, and Linux 5.9 {LastLineOf(log)}");
        }

        // The driver of a veth(4) drops what is sent back unless its peer polls.
        List<string> tried = [];
        foreach (AttachMode mode in Modes.Where(m => m != AttachMode.Native || facts.Kind != "veth"))
        {
            int flags = mode == AttachMode.Native ? Libc.XDP_FLAGS_DRV_MODE : Libc.XDP_FLAGS_SKB_MODE;
            SysResult link = Bpf.Attach(program.Value, facts.Index, Libc.BPF_XDP, flags);
            if (!link.IsError)
            {
                TcpSocket.Close(program.Value);
                return new Decapsulator(maps, link.Value, $"{Packets.Attachment.NameOf(mode)} on {interfaceName}");
            }

            tried.Add($"{Packets.Attachment.NameOf(mode)}: {link.Errno}");
        }

        TcpSocket.Close(program.Value);
        maps.Dispose();
        throw new PacketFaultException(
            $"interface {interfaceName}: no program can be attached ({string.Join("; ", tried)}). EBUSY or EEXIST: another program is there, which `ip link show "
            + $"{interfaceName}` names");
    }

    /// <summary>
    /// Whether the kernel tells the program the way to other backends. If it does not, packets for the second chance go back to the station that they came
    /// from, which may be a router that knows the way.
    /// </summary>
    /// <returns>Null, or what to set, as text for people.</returns>
    public static string? WhyNoRoutes(string interfaceName)
    {
        string[] off = [.. Families.Where(family => !Forwards(family, interfaceName))];
        return off.Length == 0
            ? null
            : $"interface {interfaceName} does not forward, so that packets for the second chance go back to where they came from: "
                + string.Join(" ", off.Select(family => $"sysctl -w net.{family}.conf.{interfaceName}.forwarding=1;")).TrimEnd(';');
    }

    /// <summary>Packets whose outer header was taken off, and those that went on to another backend.</summary>
    public (long Stripped, long SentOn) Read() => (_maps.CountOf(DecapsulationMaps.Stripped), _maps.CountOf(DecapsulationMaps.SentOn));

    /// <summary>Detaches: outer headers stay on.</summary>
    public void Dispose()
    {
        TcpSocket.Close(_link);
        _maps.Dispose();
    }

    private static InterfaceFacts FactsOf(string name)
    {
        using NetlinkSocket? netlink = NetlinkSocket.TryOpen(0, out Errno fault);
        InterfaceFacts facts = default;
        fault = netlink is null ? fault : InterfaceFacts.Read(netlink, name, out facts);
        return fault == Errno.None
            ? facts
            : throw new PacketFaultException(
                fault == Errno.ENODEV ? $"interface {name}: there is none of this name (`ip link` lists them)" : $"interface {name}: {fault}");
    }

    private static bool Forwards(string family, string name)
    {
        try
        {
            return File.ReadAllText($"/proc/sys/net/{family}/conf/{name}/forwarding").Trim() != "0";
        }
        catch (IOException)
        {
            // A kernel without this family.
            return true;
        }
    }

    private static string LastLineOf(string log) => log.TrimEnd().Split('\n')[^1];
}
