using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;

namespace L4Balancer.Bench.Machine;

/// <summary>
/// A bridge in the bench's own network namespace, and hosts on it by veth pairs. The links are like wires between network cards: no packet is larger than
/// the MTU, each has its checksum, and each end polls and joins what it receives (GRO). Sending offloads of checksums and segmentation, by which packets of
/// 64 KiB would go from namespace to namespace, are off: a program at XDP would have to copy them, and none of them fits into a tunnel.
/// </summary>
internal sealed class NetworkSwitch : IDisposable
{
    /// <summary>What each end of each link gets.</summary>
    public const string Offloads = "tx off gro on";

    // The holders of the namespaces end with the shell.
    private const string SetUp = """
        set -e
        ip link add br0 address 02:00:00:00:88:00 type bridge
        ip link set br0 up
        while read name number mtu portmtu; do
            unshare -nm setpriv --pdeathsig KILL sleep infinity </dev/null >/dev/null & pid=$!
            until [ "$(readlink /proc/$pid/ns/net)" != "$(readlink /proc/$$/ns/net)" ] && [ "$(readlink /proc/$pid/exe)" != "$(command -v unshare)" ]; do sleep 0.01; done
            mac=$(printf '02:00:00:00:00:%02d' $number)
            ip link add $name mtu $portmtu type veth peer name eth0 address $mac mtu $mtu netns $pid
            ethtool -K $name OFFLOADS >/dev/null
            ip link set $name master br0 up
            nsenter -t $pid -n -m sh -ec "
                mount -t bpf bpf /sys/fs/bpf
                ethtool -K eth0 OFFLOADS >/dev/null
                echo '10240 65535' > /proc/sys/net/ipv4/ip_local_port_range
                echo 0 > /proc/sys/net/ipv4/conf/all/rp_filter
                echo 0 > /proc/sys/net/ipv4/conf/default/rp_filter
                echo 0 > /proc/sys/net/ipv4/conf/eth0/rp_filter
                echo 0 > /proc/sys/net/ipv4/conf/all/send_redirects
                echo 0 > /proc/sys/net/ipv4/conf/eth0/send_redirects
                echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6
                [ -z '$CONGESTION' ] || echo '$CONGESTION' > /proc/sys/net/ipv4/tcp_congestion_control
                ip link set lo up
                ip addr add 198.18.0.$number/24 dev eth0
                ip link set eth0 up"
            echo $pid
        done
        """;

    private readonly Process _shell;
    private readonly List<NetworkHost> _hosts = [];

    private NetworkSwitch(Process shell) => _shell = shell;

    public IReadOnlyList<NetworkHost> Hosts => _hosts;

    /// <param name="congestion">TCP congestion control of all hosts; null: the machine's.</param>
    /// <returns>Null where it cannot be made here; <paramref name="fault"/> says why.</returns>
    public static NetworkSwitch? TryCreate(string? congestion, out string? fault)
    {
        foreach (string program in (string[])["ip", "ethtool", "nsenter", "unshare"])
        {
            try
            {
                Process.Start(new ProcessStartInfo(program, ["--version"]) { RedirectStandardOutput = true, RedirectStandardError = true })!.Dispose();
            }
            catch (Win32Exception)
            {
                fault = $"{program} is not installed";
                return null;
            }
        }

        if (!Environment.IsPrivilegedProcess || !NetworkNamespace.Entered)
        {
            fault = "it needs root, and a network namespace of its own";
            return null;
        }

        var start = new ProcessStartInfo("sh", ["-c", SetUp.Replace("OFFLOADS", Offloads, StringComparison.Ordinal)])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        start.Environment["CONGESTION"] = congestion ?? "";
        fault = null;
        return new NetworkSwitch(Process.Start(start)!);
    }

    /// <param name="portMtu">Of the other end of its link; above about 3,500 bytes a veth device takes no XDP program in its driver.</param>
    /// <exception cref="InvalidOperationException">The machine does not let it; what it says is on standard error.</exception>
    public NetworkHost Add(string name, int number, int mtu = 1500, int? portMtu = null)
    {
        _shell.StandardInput.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{name} {number} {mtu} {portMtu ?? mtu}"));
        _shell.StandardInput.Flush();
        string answer = _shell.StandardOutput.ReadLine() ?? throw new InvalidOperationException($"no host {name} can be made in namespaces here");
        var host = new NetworkHost(name, number, int.Parse(answer, CultureInfo.InvariantCulture));
        _hosts.Add(host);
        return host;
    }

    public void Dispose()
    {
        _shell.StandardInput.Close();
        if (!_shell.WaitForExit(5_000))
        {
            _shell.Kill(entireProcessTree: true);
        }

        _shell.Dispose();
    }
}
