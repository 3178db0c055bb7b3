using System.Text;

namespace L4Balancer.Engine.Linux;

/// <content>What outlives a process: pins in a file system of the type bpf, and links between a program and an interface.</content>
internal static unsafe partial class Bpf
{
    /// <summary>Bytes of struct bpf_link_info that are read; the kernel fills as many as it knows.</summary>
    private const int LinkInfo = 32;

    /// <summary>Gives a map, program or link a name in a file system of the type bpf, which keeps it while the name is there.</summary>
    /// <returns>EEXIST: the name is taken. EPERM or EINVAL: not such a file system.</returns>
    public static Errno Pin(int descriptor, string path) => OnPath(Libc.BPF_OBJ_PIN, descriptor, path).Errno;

    /// <returns>A descriptor of what is pinned there. ENOENT: nothing is.</returns>
    public static SysResult OpenPin(string path) => OnPath(Libc.BPF_OBJ_GET, 0, path);

    /// <summary>Attaches a program to an interface, for as long as a descriptor or a pin refers to the link.</summary>
    /// <param name="place">BPF_XDP (Linux 5.9) or BPF_TCX_INGRESS (Linux 6.6).</param>
    /// <param name="flags">Of BPF_XDP: XDP_FLAGS_DRV_MODE or XDP_FLAGS_SKB_MODE.</param>
    /// <returns>EBUSY, EEXIST: another program is there. EOPNOTSUPP: the driver has no XDP. EINVAL: the kernel has no such links.</returns>
    public static SysResult Attach(int program, int interfaceIndex, int place, int flags)
    {
        Span<byte> attributes = stackalloc byte[Libc.BpfAttributeSize];
        attributes.Clear();
        Set(attributes, 0, program);
        Set(attributes, 4, interfaceIndex);
        Set(attributes, 8, place);
        Set(attributes, 12, flags);
        return Call(Libc.BPF_LINK_CREATE, attributes);
    }

    /// <summary>Replaces the program of a link: each packet is seen by one of the two.</summary>
    /// <returns>ENOLINK or another error: the interface of the link is gone.</returns>
    public static Errno Replace(int link, int program)
    {
        Span<byte> attributes = stackalloc byte[Libc.BpfAttributeSize];
        attributes.Clear();
        Set(attributes, 0, link);
        Set(attributes, 4, program);
        return Call(Libc.BPF_LINK_UPDATE, attributes).Errno;
    }

    /// <summary>Detaches at once, whoever else refers to the link (Linux 5.9).</summary>
    public static Errno Detach(int link)
    {
        Span<byte> attributes = stackalloc byte[Libc.BpfAttributeSize];
        attributes.Clear();
        Set(attributes, 0, link);
        return Call(Libc.BPF_LINK_DETACH, attributes).Errno;
    }

    /// <param name="type">BPF_LINK_TYPE_XDP and so on.</param>
    /// <param name="interfaceIndex">0 if the interface is gone.</param>
    public static Errno Describe(int link, out int type, out int interfaceIndex)
    {
        byte* info = stackalloc byte[LinkInfo];
        new Span<byte>(info, LinkInfo).Clear();
        Span<byte> attributes = stackalloc byte[Libc.BpfAttributeSize];
        attributes.Clear();
        Set(attributes, 0, link);
        Set(attributes, 4, LinkInfo);
        Set(attributes, 8, info);
        Errno error = Call(Libc.BPF_OBJ_GET_INFO_BY_FD, attributes).Errno;
        type = *(int*)info;
        interfaceIndex = *(int*)(info + 16);
        return error;
    }

    /// <summary>Whether a path that exists is on a file system of the type bpf (statfs(2), BPF_FS_MAGIC).</summary>
    public static bool IsFileSystem(string path)
    {
        const uint magic = 0xcafe4a11;
        const int room = 256; // More than struct statfs on any architecture, of which the type is the first member.
        byte* facts = stackalloc byte[room];
        fixed (byte* pathAt = Encoding.UTF8.GetBytes(path + '\0'))
        {
            return Libc.statfs(pathAt, facts) == 0 && *(uint*)facts == magic;
        }
    }

    private static SysResult OnPath(int command, int descriptor, string path)
    {
        fixed (byte* pathAt = Encoding.UTF8.GetBytes(path + '\0'))
        {
            Span<byte> attributes = stackalloc byte[Libc.BpfAttributeSize];
            attributes.Clear();
            Set(attributes, 0, pathAt);
            Set(attributes, 8, descriptor);
            return Call(command, attributes);
        }
    }
}
