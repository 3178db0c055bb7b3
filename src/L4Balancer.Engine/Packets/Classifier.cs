using System.Runtime.InteropServices;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Engine.Packets;

/// <summary>
/// A program as a filter of the queueing discipline clsact (tc-bpf(8)), for kernels without links to tc. It outlives the process by itself. The discipline
/// stays when the filter goes, as others may use it.
/// </summary>
internal static class Classifier
{
    /// <summary>Bytes of struct tcmsg.</summary>
    private const int Body = 20;

    private const uint Handle = 1;
    private const uint Priority = 49_423; // One that nobody else is likely to have: the filter is found again by it.
    private const ushort AllProtocols = 0x0300; // ETH_P_ALL in network order
    private const uint DisciplineHandle = 0xffff_0000;

    /// <summary>Adds the filter, or replaces the one of a process before.</summary>
    public static Errno Set(NetlinkSocket netlink, int interfaceIndex, int program)
    {
        var discipline = new NetlinkRequest(
            Libc.RTM_NEWQDISC,
            Libc.NLM_F_ACK | Libc.NLM_F_CREATE | Libc.NLM_F_EXCL,
            Message(interfaceIndex, DisciplineHandle, Libc.TC_H_CLSACT, 0));
        Errno error = netlink.Ask(discipline.With(Libc.TCA_KIND, "clsact"));
        if (error is not (Errno.None or Errno.EEXIST))
        {
            return error;
        }

        byte[] options = NetlinkRequest.Nested(o => o
            .With(Libc.TCA_BPF_FD, program)
            .With(Libc.TCA_BPF_NAME, "l4balancer")
            .With(Libc.TCA_BPF_FLAGS, Libc.TCA_BPF_FLAG_ACT_DIRECT));
        return netlink.Ask(
            Filter(Libc.RTM_NEWTFILTER, Libc.NLM_F_CREATE | Libc.NLM_F_REPLACE, interfaceIndex).With(Libc.TCA_OPTIONS, options));
    }

    /// <returns>ENOENT, EINVAL: it is not there.</returns>
    public static Errno Remove(NetlinkSocket netlink, int interfaceIndex) =>
        netlink.Ask(Filter(Libc.RTM_DELTFILTER, 0, interfaceIndex));

    private static NetlinkRequest Filter(ushort type, ushort flags, int interfaceIndex)
    {
        byte[] message = Message(interfaceIndex, Handle, Libc.TC_H_INGRESS_FILTERS, (Priority << 16) | AllProtocols);
        return new NetlinkRequest(type, (ushort)(flags | Libc.NLM_F_ACK), message).With(Libc.TCA_KIND, "bpf");
    }

    private static byte[] Message(int interfaceIndex, uint handle, uint parent, uint info)
    {
        byte[] message = new byte[Body];
        MemoryMarshal.Write(message.AsSpan(4), interfaceIndex);
        MemoryMarshal.Write(message.AsSpan(8), handle);
        MemoryMarshal.Write(message.AsSpan(12), parent);
        MemoryMarshal.Write(message.AsSpan(16), info);
        return message;
    }
}
