using System.Globalization;
using L4Balancer.Bench.Peers;

namespace L4Balancer.Bench.Contestants;

/// <summary>nftables' own hash with a translation of the destination: the kernel alone, with conntrack, through which the answers have to come back.</summary>
internal sealed class NftKind : ContestantKind
{
    public override string Name => "nftables dnat";

    public override string? Version { get; } = InstalledVersion.Ask("nft", "--version");

    public override IReadOnlyList<string> Prepare(string directory, Wiring wiring)
    {
        IEnumerable<string> ports = Wiring.Roles.Select(r => (wiring.ListenBase + (int)r).ToString(CultureInfo.InvariantCulture));
        string map = string.Join(", ", wiring.Hosts.Select(static (h, i) => string.Create(CultureInfo.InvariantCulture, $"{i} : {h}")));
        string file = Path.Combine(directory, "rules.nft");
        File.WriteAllText(file, $$"""
            table ip balancer {
                chain arriving {
                    type nat hook prerouting priority dstnat;
                    ip daddr {{wiring.Address}} tcp dport { {{string.Join(", ", ports)}} } dnat to jhash ip saddr . tcp sport mod {{wiring.Hosts.Count}} map { {{map}} }
                }
            }

            """);
        return ["sh", "-ec", $"echo 1 > /proc/sys/net/ipv4/ip_forward; nft -f {file}; exec sleep infinity"];
    }
}
