namespace L4Balancer.Core.Config;

/// <summary>
/// Every documented key of the configuration, by table, and whether it is supported yet. This schema defines what a file may
/// contain, what is "not supported yet", which names are suggested for misspelt ones, and what docs/configuration.md must list.
/// </summary>
internal static class ConfigSchema
{
    public static readonly SchemaTable Keepalive = new("keepalive", Works("idle", "interval", "count"));

    public static readonly SchemaTable SourceNet = new("source_net", Works("v4", "v6"));

    public static readonly SchemaTable Balancer = new(
        "[balancer]",
        Works(
            "workers", "engine", "max_connections", "shutdown_delay", "shutdown_grace", "access_log", "access_log_start", "access_log_every",
            "log_format", "log_level", "keeper", "keeper_timeout", "watch", "state_file", "held_memory"));

    public static readonly SchemaTable Admin = new("[admin]", Works("socket", "listen", "token_file", "hosts"));

    public static readonly SchemaTable Metrics = new("[metrics]", Works("listen", "otlp"));

    public static readonly SchemaTable Fleet = new(
        "[fleet]",
        Works(
            "name", "id", "etcd", "lease", "health", "token_file", "ca_file", "cert_file", "key_file", "user", "password_file"));

    public static readonly SchemaTable Endpoint = new(
        "[endpoint]", Works("listen", "allow_origins", "rate_per_source", "cert_file", "key_file", "ttl", "secret_file"));

    public static readonly SchemaTable Dns = new("[dns]", Works("listen", "zone", "rate_per_source", "ttl", "address"));

    public static readonly SchemaTable Route = new("[[listeners.routes]]", Works("sni", "alpn", "host", "path", "source", "pool"));

    public static readonly SchemaTable Listener = new(
        "[[listeners]]",
        [
            .. Works(
                "name", "bind", "pool", "mode", "interface", "forward", "flows", "second_chance", "on_pool_down", "allow", "deny", "max_connections",
                "max_connections_per_source", "connection_rate_per_source", "freebind", "mptcp", "backlog", "defer_accept"),
            new SchemaKey("keepalive", KeyForm.Table, Keepalive),
            .. Works("user_timeout", "congestion_control", "send_buffer", "receive_buffer"),
            .. Works("accept_proxy_from", "inspect", "inspect_timeout", "inspect_limit", "inspect_failed"),
            new SchemaKey("routes", KeyForm.Tables, Route),
        ]);

    public static readonly SchemaTable Health = new(
        "[pools.health]",
        Works(
            "type", "send", "expect", "interval", "fast_interval", "down_interval", "jitter", "timeout", "rise", "fall", "port", "path",
            "host", "status", "headers", "verify", "ca_file"));

    public static readonly SchemaTable Passive = new("[pools.passive]", Works("failures", "retry", "early_close"));

    public static readonly SchemaTable Sticky = new("[pools.sticky]", Works("ttl", "entries"));

    public static readonly SchemaTable Backend = new(
        "[[pools.backends]]",
        Works("name", "address", "weight", "max_connections", "backup", "public_url"));

    public static readonly SchemaTable Discovery = new(
        "[pools.discovery]",
        [
            .. Works("dns", "servers"),
            .. Works("file"),
            .. Works("http"),
            .. Works("etcd"),
            .. Works("consul"),
            .. Works("zookeeper"),
            .. Works("redis_sentinel"),
            .. Works("kubernetes"),
            .. Works("prefix"),
            .. Works("service"),
            .. Works("namespace"),
            .. Works("port"),
            .. Works("role"),
            .. Works("token_file"),
            .. Works("ca_file"),
            .. Works("cert_file"),
            .. Works("key_file"),
            .. Works("user"),
            .. Works("password_file"),
            .. Works("interval", "hold"),
        ]);

    public static readonly SchemaTable Pool = new(
        "[[pools]]",
        [
            .. Works(
                "name", "balance", "hash_key", "source_net", "bounded_load", "source_ips", "transparent", "send_proxy", "connect_timeout", "connect_attempts",
                "idle_timeout", "half_close_timeout", "max_age"),
            new SchemaKey("keepalive", KeyForm.Table, Keepalive),
            .. Works(
                "user_timeout", "congestion_control", "send_buffer", "receive_buffer", "panic_threshold", "slow_start",
                "new_connection_rate", "abort_on_close", "on_backend_down", "on_backend_removed", "close_rate"),
            new SchemaKey("sticky", KeyForm.Table, Sticky),
            new SchemaKey("health", KeyForm.Table, Health),
            new SchemaKey("passive", KeyForm.Table, Passive),
            new SchemaKey("discovery", KeyForm.Table, Discovery),
            new SchemaKey("backends", KeyForm.Tables, Backend),
        ]);

    public static readonly SchemaTable Root = new(
        "the file",
        [
            .. Works("include"),
            new SchemaKey("balancer", KeyForm.Table, Balancer),
            new SchemaKey("admin", KeyForm.Table, Admin),
            new SchemaKey("metrics", KeyForm.Table, Metrics),
            new SchemaKey("fleet", KeyForm.Table, Fleet),
            new SchemaKey("endpoint", KeyForm.Table, Endpoint),
            new SchemaKey("dns", KeyForm.Table, Dns),
            new SchemaKey("listeners", KeyForm.Tables, Listener),
            new SchemaKey("pools", KeyForm.Tables, Pool),
        ]);

    /// <summary>The headers of the other tables that have the key; none where these are too many to help.</summary>
    public static string[] TablesWith(string key, SchemaTable except)
    {
        const int Most = 4;
        string[] headers = [.. All(Root).Distinct().Where(t => t != except && t != Root && t.Works(key)).Select(static t => t.Header)];
        return headers.Length <= Most ? headers : [];
    }

    private static IEnumerable<SchemaTable> All(SchemaTable table) =>
        table.Keys.Where(static k => k.Table is not null).SelectMany(static k => All(k.Table!)).Prepend(table);

    private static IEnumerable<SchemaKey> Works(params string[] names) => names.Select(static n => new SchemaKey(n, KeyForm.Value));

    private static IEnumerable<SchemaKey> NotYet(params string[] names) => names.Select(static n => new SchemaKey(n, KeyForm.NotYet));
}
