using System.Runtime.InteropServices;

namespace L4Balancer.Engine.Linux;

/// <content>bpf(2), which the C library has no function for. Names and numbers as in linux/bpf.h.</content>
internal static unsafe partial class Libc
{
    public const int BPF_MAP_CREATE = 0;
    public const int BPF_MAP_LOOKUP_ELEM = 1;
    public const int BPF_MAP_UPDATE_ELEM = 2;
    public const int BPF_MAP_DELETE_ELEM = 3;
    public const int BPF_MAP_GET_NEXT_KEY = 4;
    public const int BPF_PROG_LOAD = 5;
    public const int BPF_OBJ_PIN = 6;
    public const int BPF_OBJ_GET = 7;
    public const int BPF_PROG_TEST_RUN = 10;
    public const int BPF_OBJ_GET_INFO_BY_FD = 15;
    public const int BPF_MAP_LOOKUP_BATCH = 24;
    public const int BPF_LINK_CREATE = 28;
    public const int BPF_LINK_UPDATE = 29;
    public const int BPF_LINK_DETACH = 34;

    // What a link attaches to (enum bpf_attach_type), and its own kind (enum bpf_link_type).
    public const int BPF_XDP = 37;
    public const int BPF_TCX_INGRESS = 46;
    public const int BPF_LINK_TYPE_XDP = 6;
    public const int BPF_LINK_TYPE_TCX = 11;

    // linux/if_link.h.
    public const int XDP_FLAGS_SKB_MODE = 2;
    public const int XDP_FLAGS_DRV_MODE = 4;

    public const ulong BPF_NOEXIST = 1;

    public const int BPF_MAP_TYPE_HASH = 1;
    public const int BPF_MAP_TYPE_ARRAY = 2;
    public const int BPF_MAP_TYPE_PERCPU_ARRAY = 6;
    public const int BPF_MAP_TYPE_LRU_HASH = 9;
    public const int BPF_MAP_TYPE_ARRAY_OF_MAPS = 12;

    public const int BPF_PROG_TYPE_SCHED_CLS = 3;
    public const int BPF_PROG_TYPE_XDP = 6;

    /// <summary>Bytes of union bpf_attr that are given: those that are not set have to be zero.</summary>
    public const int BpfAttributeSize = 144;

    /// <summary>The number of bpf(2) differs between architectures.</summary>
    public static int SYS_bpf => RuntimeInformation.ProcessArchitecture switch
    {
        Architecture.X64 => 321,
        Architecture.Arm64 => 280,
        _ => throw new PlatformNotSupportedException("packets are forwarded on x86-64 and arm64"),
    };

    [LibraryImport("libc")]
    public static partial int statfs(byte* path, void* buf);

    [LibraryImport("libc", EntryPoint = "syscall")]
    public static partial nint bpf(nint number, nint cmd, void* attr, nint size);
}
