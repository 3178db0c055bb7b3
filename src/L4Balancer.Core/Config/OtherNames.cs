using System.Collections.Frozen;

namespace L4Balancer.Core.Config;

/// <summary>Keys by the names that they have in HAProxy and nginx, where no edit distance leads from one to the other.</summary>
internal static class OtherNames
{
    private static readonly FrozenDictionary<string, string> Ours = new Dictionary<string, string>
    {
        ["accept-proxy"] = "accept_proxy_from",
        ["backend"] = "pool",
        ["default_backend"] = "pool",
        ["downinter"] = "down_interval",
        ["fastinter"] = "fast_interval",
        ["hash-balance-factor"] = "bounded_load",
        ["hard-stop-after"] = "shutdown_grace",
        ["inter"] = "interval",
        ["listen"] = "bind",
        ["max_conns"] = "max_connections",
        ["maxconn"] = "max_connections",
        ["nbthread"] = "workers",
        ["proxy_connect_timeout"] = "connect_timeout",
        ["proxy_pass"] = "pool",
        ["proxy_protocol"] = "send_proxy",
        ["proxy_timeout"] = "idle_timeout",
        ["redispatch"] = "connect_attempts",
        ["retries"] = "connect_attempts",
        ["send-proxy"] = "send_proxy",
        ["send-proxy-v2"] = "send_proxy",
        ["server_name"] = "sni",
        ["slowstart"] = "slow_start",
        ["source"] = "source_ips",
        ["timeout_client"] = "idle_timeout",
        ["timeout_server"] = "idle_timeout",
        ["timeout_tunnel"] = "idle_timeout",
        ["worker_processes"] = "workers",
    }.ToFrozenDictionary();

    /// <returns>The name here; null if there is none.</returns>
    public static string? Of(string name) => Ours.GetValueOrDefault(name);
}
