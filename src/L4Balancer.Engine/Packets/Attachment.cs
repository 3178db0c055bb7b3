using System.Runtime.Versioning;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Engine.Packets;

/// <summary>
/// The place of a program at an interface. It outlives this process: as a pinned link, or as a filter of tc(8). One thread at a time.
/// </summary>
[SupportedOSPlatform("linux")]
internal sealed class Attachment : IDisposable
{
    private static readonly AttachMode[] Automatic = [AttachMode.Native, AttachMode.Generic, AttachMode.Tcx, AttachMode.Classifier];

    private readonly PinFolder _folder;
    private readonly int _link;

    private Attachment(PinFolder folder, AttachMode mode, int link, int interfaceIndex)
    {
        _folder = folder;
        _link = link;
        Mode = mode;
        InterfaceIndex = interfaceIndex;
    }

    /// <summary>Loads the program for a hook; throws <see cref="PacketFaultException"/>.</summary>
    /// <returns>Its descriptor, which is the caller's.</returns>
    public delegate int Loader(PacketHook hook);

    public AttachMode Mode { get; }

    /// <summary>Of the interface as it was; another of the same name has another.</summary>
    public int InterfaceIndex { get; }

    /// <summary>Whether a process before had attached it.</summary>
    public bool IsTakenOver { get; private init; }

    /// <summary>What was tried before this, with the reason why it did not work; as text for a log.</summary>
    public string Tried { get; private init; } = "";

    /// <summary>As text for people: <c>XDP native on eth0</c>.</summary>
    public override string ToString() => $"{NameOf(Mode)} on {_folder.Interface}";

    public static string NameOf(AttachMode mode) => mode switch
    {
        AttachMode.Native => "XDP native",
        AttachMode.Generic => "XDP generic",
        AttachMode.Tcx => "tcx",
        _ => "tc (clsact)",
    };

    /// <summary>Puts the program in the place of that of a process before: each packet is seen by one of the two.</summary>
    /// <returns>Null: there is none, or its interface is gone.</returns>
    public static Attachment? TryTakeOver(PinFolder folder, NetlinkSocket netlink, in InterfaceFacts facts, Loader load)
    {
        if (folder.HasClassifier)
        {
            return SetClassifier(netlink, facts.Index, load) == Errno.None
                ? new Attachment(folder, AttachMode.Classifier, -1, facts.Index) { IsTakenOver = true } : null;
        }

        SysResult link = Bpf.OpenPin(folder.Link);
        if (link.IsError)
        {
            return null;
        }

        bool known = Bpf.Describe(link.Value, out int type, out int index) == Errno.None && index == facts.Index;
        AttachMode mode = type == Libc.BPF_LINK_TYPE_TCX ? AttachMode.Tcx : facts.Xdp == 2 ? AttachMode.Generic : AttachMode.Native;
        var attachment = new Attachment(folder, mode, link.Value, index) { IsTakenOver = true };
        if (known && attachment.Replace(netlink, load) == Errno.None)
        {
            return attachment;
        }

        attachment.Dispose();
        RemoveFrom(folder, netlink);
        return null;
    }

    /// <param name="modes">To be tried in this order; null: all, but of a veth(4) not its driver, which drops what is sent back unless its peer polls.</param>
    /// <param name="folder">Nothing is pinned there yet.</param>
    /// <exception cref="PacketFaultException">None of them works.</exception>
    public static Attachment Attach(
        PinFolder folder, NetlinkSocket netlink, InterfaceFacts facts, IReadOnlyList<AttachMode>? modes, Loader load)
    {
        List<string> tried = [];
        foreach (AttachMode mode in modes ?? [.. Automatic.Where(m => m != AttachMode.Native || facts.Kind != "veth")])
        {
            (Errno error, int link) = mode == AttachMode.Classifier
                ? (SetClassifier(netlink, facts.Index, load), -1) : MakeLink(folder, facts.Index, mode, load);
            if (error == Errno.None)
            {
                if (mode == AttachMode.Classifier)
                {
                    folder.MarkClassifier();
                }

                return new Attachment(folder, mode, link, facts.Index) { Tried = string.Join(", ", tried) };
            }

            tried.Add($"{NameOf(mode)}: {error}");
        }

        throw new PacketFaultException(
            $"interface {facts.Name}: no program can be attached ({string.Join("; ", tried)}). EBUSY or EEXIST: another program is there, which `ip link show "
            + $"{facts.Name}` names; EPERM: CAP_NET_ADMIN is missing; EINVAL: the kernel is too old, or the MTU is too large for XDP");
    }

    /// <summary>Detaches what is attached and known by what is in the folder.</summary>
    /// <returns>None, or why it is still attached.</returns>
    public static Errno RemoveFrom(PinFolder folder, NetlinkSocket netlink)
    {
        if (folder.HasClassifier)
        {
            Errno error = InterfaceFacts.Read(netlink, folder.Interface, out InterfaceFacts facts);
            error = error == Errno.None ? Classifier.Remove(netlink, facts.Index) : error;
            if (error is not (Errno.None or Errno.ENOENT or Errno.EINVAL or Errno.ENODEV))
            {
                return error;
            }

            folder.UnmarkClassifier();
        }

        SysResult link = Bpf.OpenPin(folder.Link);
        if (link.IsError)
        {
            return link.Errno == Errno.ENOENT ? Errno.None : link.Errno;
        }

        File.Delete(folder.Link);
        Errno detached = Bpf.Detach(link.Value);
        TcpSocket.Close(link.Value);
        return detached;
    }

    /// <summary>Whether the kernel still has it at the interface; of a classifier it is not known.</summary>
    public bool IsThere() => _link < 0 || (Bpf.Describe(_link, out _, out int index) == Errno.None && index == InterfaceIndex);

    /// <summary>Puts another program in the place of this one.</summary>
    public Errno Replace(NetlinkSocket netlink, Loader load)
    {
        if (Mode == AttachMode.Classifier)
        {
            return SetClassifier(netlink, InterfaceIndex, load);
        }

        int program = load(HookOf(Mode));
        Errno error = Bpf.Replace(_link, program);
        TcpSocket.Close(program);
        return error;
    }

    /// <summary>Everything stays attached.</summary>
    public void Dispose()
    {
        if (_link >= 0)
        {
            TcpSocket.Close(_link);
        }
    }

    private static PacketHook HookOf(AttachMode mode) => mode is AttachMode.Native or AttachMode.Generic ? PacketHook.Xdp : PacketHook.Tc;

    private static Errno SetClassifier(NetlinkSocket netlink, int interfaceIndex, Loader load)
    {
        int program = load(PacketHook.Tc);
        Errno error = Classifier.Set(netlink, interfaceIndex, program);
        TcpSocket.Close(program);
        return error;
    }

    private static (Errno Error, int Link) MakeLink(PinFolder folder, int interfaceIndex, AttachMode mode, Loader load)
    {
        int program = load(HookOf(mode));
        int flags = mode == AttachMode.Native ? Libc.XDP_FLAGS_DRV_MODE : mode == AttachMode.Generic ? Libc.XDP_FLAGS_SKB_MODE : 0;
        SysResult link = Bpf.Attach(program, interfaceIndex, mode == AttachMode.Tcx ? Libc.BPF_TCX_INGRESS : Libc.BPF_XDP, flags);
        TcpSocket.Close(program);
        if (link.IsError)
        {
            return (link.Errno, -1);
        }

        Errno pinned = Bpf.Pin(link.Value, folder.Link);
        if (pinned != Errno.None)
        {
            TcpSocket.Close(link.Value);
            return (pinned, -1);
        }

        return (Errno.None, link.Value);
    }
}
