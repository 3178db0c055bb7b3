using System.Globalization;
using System.Text;
using L4Balancer.Bench.Peers;

namespace L4Balancer.Bench.Contestants;

/// <summary>nginx as a stream proxy with one worker.</summary>
internal sealed class NginxKind : ContestantKind
{
    /// <summary>Where Debian and its descendants put it; elsewhere it is often built in.</summary>
    private const string Module = "/usr/lib/nginx/modules/ngx_stream_module.so";

    public override string Name => "nginx";

    public override string? Version { get; } = InstalledVersion.Ask("nginx", "-v");

    public override IReadOnlyList<string> Prepare(string directory, Wiring wiring)
    {
        var text = new StringBuilder();
        if (File.Exists(Module))
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"load_module {Module};");
        }

        text.AppendLine(CultureInfo.InvariantCulture, $$"""
            daemon off;
            worker_processes 1;
            worker_rlimit_nofile 20000;
            pid {{directory}}/nginx.pid;
            error_log {{directory}}/error.log;
            events { worker_connections {{2 * Connections}}; }
            stream {
            proxy_timeout 1h;
            log_format line '$remote_addr:$remote_port [$time_local] $server_port $upstream_addr $status $bytes_sent $bytes_received $session_time';
            access_log {{(wiring.Duty == Duty.AccessLog ? $"{directory}/access.log line" : "off")}};
            """);
        foreach (PeerRole role in Wiring.Roles)
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"upstream {Wiring.Name(role)} {{");
            foreach (Core.Addressing.Endpoint backend in wiring.Backends(role))
            {
                text.AppendLine(CultureInfo.InvariantCulture, $"    server {backend};");
            }

            text.AppendLine(CultureInfo.InvariantCulture, $"}}");
            text.AppendLine(Server(wiring, role));
        }

        text.AppendLine("}");
        string file = Path.Combine(directory, "nginx.conf");
        File.WriteAllText(file, text.ToString());
        return ["nginx", "-p", directory, "-c", file];
    }

    // An empty name of a pool ends a connection.
    private static string Server(Wiring wiring, PeerRole role) => wiring.Duty switch
    {
        Duty.ServerNames => $$"""
            map $ssl_preread_server_name $pool_{{Wiring.Name(role)}} {
            {{string.Join('\n', ServerNames.All.Select(name => $"    {name} {Wiring.Name(role)};"))}}
            }
            server { listen {{wiring.Listen(role)}} backlog=4096; ssl_preread on; proxy_pass $pool_{{Wiring.Name(role)}}; }
            """,
        Duty.Proxy => $$"""
            server { listen {{wiring.Listen(role)}} backlog=4096 proxy_protocol; set_real_ip_from 127.0.0.0/8; proxy_protocol on; proxy_pass {{Wiring.Name(role)}}; }
            """,
        _ => $"server {{ listen {wiring.Listen(role)} backlog=4096; proxy_pass {Wiring.Name(role)}; }}",
    };
}
