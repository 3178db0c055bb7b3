using System.Globalization;
using System.Runtime.InteropServices;
using System.Runtime.Versioning;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Engine.Packets;

/// <summary>What the packet tier needs of the kernel and of the rights of this process, as far as it can be said before anything is tried.</summary>
[SupportedOSPlatform("linux")]
internal static class KernelNeeds
{
    /// <summary>What the unit of systemd gets the rights by.</summary>
    public const string DropIn = "packet-mode.conf";

    /// <summary>Where packages put it.</summary>
    public const string DropInPath = "/usr/share/doc/l4balancer/packaging/systemd/" + DropIn;

    private const int SysAdmin = 21;

    /// <summary>Of capabilities(7). Without CAP_PERFMON the kernel's verifier refuses arithmetic with pointers to maps; CAP_SYS_ADMIN includes both it and CAP_BPF.</summary>
    private static readonly (string Name, int Number, bool IsOfSysAdmin)[] Rights =
        [("CAP_BPF", 39, true), ("CAP_PERFMON", 38, true), ("CAP_NET_ADMIN", 12, false)];

    /// <summary>Links between an interface and an XDP program.</summary>
    private static readonly Version Oldest = new(5, 9);

    /// <summary>Since then the memory of maps is not locked memory, but counts for the control group.</summary>
    private static readonly Version WithoutLockedMemory = new(5, 11);

    /// <returns>What is missing, each with the mend, as sentences for people.</returns>
    public static IReadOnlyList<string> Missing(string folder) => Missing(folder, Environment.OSVersion.Version, File.ReadAllText("/proc/self/status"));

    /// <param name="kernel">As uname(2) says.</param>
    /// <param name="status">As /proc/self/status.</param>
    public static IReadOnlyList<string> Missing(string folder, Version kernel, string status)
    {
        List<string> missing = [];
        if (RuntimeInformation.ProcessArchitecture is not (Architecture.X64 or Architecture.Arm64))
        {
            missing.Add($"packet listeners run on x86-64 and arm64, and not on {RuntimeInformation.ProcessArchitecture}");
        }

        if (kernel < Oldest)
        {
            missing.Add($"packet listeners need Linux {Oldest}, and this is {kernel}");
        }

        ulong rights = RightsIn(status);
        string[] without =
        [
            .. Rights.Where(r => (rights & (1UL << r.Number | (r.IsOfSysAdmin ? 1UL << SysAdmin : 0))) == 0).Select(r => r.Name),
        ];
        if (without.Length > 0)
        {
            missing.Add(
                $"{string.Join(", ", without)} {(without.Length == 1 ? "is" : "are")} missing: the drop-in {DropIn} adds to the unit what packet listeners need "
                + $"(with the documents: {DropInPath}; docs/packet.md)");
        }

        if (!Bpf.IsFileSystem(NearestOf(folder)))
        {
            missing.Add(
                $"{folder} is not on a file system of the type bpf, which keeps programs and maps: "
                + $"`mount -t bpf bpf {PacketPlaneOptions.FileSystem}` (systemd mounts it at boot, and {DropIn} where it is not)");
        }

        return missing;
    }

    /// <summary>What a refusal to make a map or to load a program comes from, and the mend.</summary>
    public static string Mend(Errno error) => error switch
    {
        Errno.EPERM when Environment.OSVersion.Version < WithoutLockedMemory =>
            "LimitMEMLOCK= of the unit is too small for the maps (set LimitMEMLOCK=infinity), or CAP_BPF is missing, or SystemCallFilter= forbids bpf",
        Errno.EPERM => $"CAP_BPF is missing, or SystemCallFilter= of the unit forbids bpf ({DropIn} allows it), or the kernel is locked down",
        Errno.ENOMEM or Errno.E2BIG or Errno.ENOSPC => "there is no memory for the maps: lower `flows`, or raise MemoryMax= of the unit",
        Errno.EACCES => "CAP_PERFMON is missing, or the kernel's verifier refuses the program: please report it with the kernel's version",
        Errno.EINVAL => "the kernel is too old, or lacks CONFIG_BPF_SYSCALL features",
        Errno.ENOSYS => "the kernel has no bpf(2) (CONFIG_BPF_SYSCALL)",
        _ => "bpf(2)",
    };

    // CapEff of proc_pid_status(5), hexadecimal.
    private static ulong RightsIn(string status)
    {
        const string name = "CapEff:";
        int at = status.IndexOf(name, StringComparison.Ordinal);
        ReadOnlySpan<char> rest = at < 0 ? [] : status.AsSpan(at + name.Length);
        int end = rest.IndexOf('\n');
        return ulong.TryParse((end < 0 ? rest : rest[..end]).Trim(), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out ulong rights) ? rights : 0;
    }

    private static string NearestOf(string folder)
    {
        string? path = Path.GetFullPath(folder);
        while (path is not null && !Directory.Exists(path))
        {
            path = Path.GetDirectoryName(path);
        }

        return path ?? "/";
    }
}
