using System.Globalization;
using System.Text;
using L4Balancer.Bench.Peers;

namespace L4Balancer.Bench.Contestants;

/// <summary>HAProxy with one thread: as it comes, or with splicing, large pipes and large buffers.</summary>
internal sealed class HaproxyKind(bool splice) : ContestantKind
{
    /// <summary>By default it plans for so many that 20,000 descriptors do not suffice to start.</summary>
    private const int Pipes = 1000;

    public override string Name => splice ? "haproxy splice" : "haproxy";

    public override string? Version { get; } = InstalledVersion.Ask("haproxy", "-v");

    public override IReadOnlyList<string> Prepare(string directory, Wiring wiring)
    {
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"""
            global
                nbthread 1
                maxconn {Connections}
            """);
        if (splice)
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"""
                    maxpipes {Pipes}
                    tune.pipesize 262144
                    tune.bufsize 65536
                """);
        }

        if (wiring.Duty == Duty.AccessLog)
        {
            text.AppendLine("    log stdout format raw local0");
        }

        text.AppendLine("""
            defaults
                mode tcp
                timeout connect 5s
                timeout client 1h
                timeout server 1h
            """);
        if (splice)
        {
            text.AppendLine("    option splice-request");
            text.AppendLine("    option splice-response");
        }

        if (wiring.Duty == Duty.AccessLog)
        {
            text.AppendLine("    log global");
            text.AppendLine("    option tcplog");
        }

        foreach (PeerRole role in Wiring.Roles)
        {
            text.AppendLine(Section(wiring, role));
            foreach ((int index, Core.Addressing.Endpoint backend) in wiring.Backends(role).Index())
            {
                text.AppendLine(CultureInfo.InvariantCulture, $"    server b{index} {backend}{(wiring.Duty == Duty.Proxy ? " send-proxy-v2" : "")}");
            }
        }

        string file = Path.Combine(directory, "haproxy.cfg");
        File.WriteAllText(file, text.ToString());
        return ["haproxy", "-db", "-f", file];
    }

    // Up to its servers.
    private static string Section(Wiring wiring, PeerRole role) => wiring.Duty == Duty.ServerNames
        ? $$"""
            frontend {{Wiring.Name(role)}}
                bind {{wiring.Listen(role)}}
                tcp-request inspect-delay 10s
                tcp-request content accept if { req.ssl_hello_type 1 }
                use_backend {{Wiring.Name(role)}}-pool if { req.ssl_sni -i {{string.Join(' ', ServerNames.All)}} }
            backend {{Wiring.Name(role)}}-pool
                balance roundrobin
            """
        : $"""
            listen {Wiring.Name(role)}
                bind {wiring.Listen(role)}{(wiring.Duty == Duty.Proxy ? " accept-proxy" : "")}
                balance roundrobin
            """;
}
