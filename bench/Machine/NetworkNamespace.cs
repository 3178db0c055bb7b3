using System.ComponentModel;
using System.Diagnostics;

namespace L4Balancer.Bench.Machine;

/// <summary>
/// A network namespace of the bench's own (network_namespaces(7)), so that its ports, its port range and its congestion control
/// are nobody else's, and the host stays as it is. Entered by starting this program again inside of it.
/// </summary>
internal static class NetworkNamespace
{
    private const string Marker = "L4BALANCER_BENCH_NAMESPACE";

    /// <summary>Most of the ports are for connections; the bench listens below.</summary>
    private const string SetUp = "ip link set lo up && echo '10240 65535' > /proc/sys/net/ipv4/ip_local_port_range";

    /// <summary>What a namespace other than the first may use (net.ipv4.tcp_allowed_congestion_control, ip-sysctl).</summary>
    public static string AllowedCongestion => File.ReadAllText("/proc/sys/net/ipv4/tcp_allowed_congestion_control").Trim();

    public static bool Entered => Environment.GetEnvironmentVariable(Marker) is not null;

    /// <summary>Runs this program inside; null where that cannot be had here.</summary>
    /// <param name="congestion">Congestion control in there; null: that of the host.</param>
    public static int? Run(IEnumerable<string> arguments, string? congestion)
    {
        string setUp = congestion is null ? SetUp : $"{SetUp} && echo '{congestion}' > /proc/sys/net/ipv4/tcp_congestion_control";
        return Start(setUp, []) is 0 ? Start($"{setUp} && exec setpriv --pdeathsig TERM \"$@\"", [.. OwnCommand.Line, .. arguments]) : null;
    }

    private static int? Start(string script, string[] command)
    {
        // A user namespace gives the right to make the other one to who is not root, where the host allows it.
        string flags = Environment.IsPrivilegedProcess ? "-n" : "-rn";
        var start = new ProcessStartInfo("unshare", [flags, "sh", "-c", script, "sh", .. command]);
        start.Environment[Marker] = "1";
        try
        {
            using Process process = Process.Start(start)!;
            process.WaitForExit();
            return process.ExitCode;
        }
        catch (Win32Exception)
        {
            return null;
        }
    }
}
