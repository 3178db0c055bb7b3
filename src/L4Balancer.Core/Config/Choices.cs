namespace L4Balancer.Core.Config;

/// <summary><c>engine</c>.</summary>
public enum EngineKind
{
    Auto,
    Epoll,
    Managed,
}

/// <summary><c>access_log</c>.</summary>
public enum AccessLogMode
{
    Off,
    Failures,
    All,
}

/// <summary><c>log_format</c>.</summary>
public enum LogFormat
{
    Text,
    Json,
    Journal,
}

/// <summary><c>log_level</c>, from the most to the least verbose.</summary>
public enum LogLevel
{
    Trace,
    Debug,
    Info,
    Warning,
    Error,
}

/// <summary><c>type</c> of <c>[pools.health]</c>.</summary>
public enum HealthType
{
    None,

    /// <summary>A TCP connect, and optionally bytes that are sent and an answer that is expected.</summary>
    Tcp,

    /// <summary>A TCP connect and a TLS handshake, then as <see cref="Tcp"/>.</summary>
    Tls,

    /// <summary>An HTTP GET; the response status is checked.</summary>
    Http,

    /// <summary><see cref="Http"/> over TLS.</summary>
    Https,

    /// <summary>A WebSocket handshake, then a ping that must be answered.</summary>
    Ws,

    /// <summary><see cref="Ws"/> over TLS.</summary>
    Wss,

    /// <summary>An MQTT 3.1.1 CONNECT that must be answered by a CONNACK.</summary>
    Mqtt,

    /// <summary><see cref="Mqtt"/> over TLS.</summary>
    Mqtts,
}

/// <summary><c>balance</c>.</summary>
public enum BalanceKind
{
    Ring,
    Maglev,
    LeastConnections,
    RandomTwo,
    RoundRobin,
}

/// <summary><c>inspect</c>.</summary>
public enum InspectKind
{
    None,

    /// <summary>The ClientHello is read: server name and ALPN.</summary>
    Tls,

    /// <summary>The head of the first HTTP/1 request is read.</summary>
    Http,
}

/// <summary><c>inspect_failed</c>.</summary>
public enum InspectFailed
{
    /// <summary>What cannot be read goes to the pool of the listener.</summary>
    Default,
    Refuse,
}

/// <summary><c>send_proxy</c>.</summary>
public enum SendProxy
{
    None,
    V1,
    V2,
}

/// <summary><c>mode</c> of a listener.</summary>
public enum ListenerMode
{
    /// <summary>Connections are accepted, and their bytes relayed to a second connection.</summary>
    Relay,

    /// <summary>Packets are sent on by the kernel; nothing is accepted.</summary>
    Packet,
}

/// <summary><c>forward</c>: how a packet gets to its backend.</summary>
public enum PacketForward
{
    /// <summary>To its MAC address; it is on the same segment, and has the virtual address too.</summary>
    L2,

    /// <summary>In another IP packet (RFC 2003, RFC 2473), across routers.</summary>
    Ipip,
}

/// <summary><c>on_pool_down</c>.</summary>
public enum OnPoolDown
{
    Refuse,
    StopListening,
}

/// <summary><c>on_backend_down</c>.</summary>
public enum OnBackendDown
{
    Keep,
    Close,
}

/// <summary>The source of <c>[pools.discovery]</c>.</summary>
public enum DiscoveryKind
{
    /// <summary>SRV records, or the addresses of a name.</summary>
    Dns,

    /// <summary>A TOML file.</summary>
    File,

    /// <summary>A URL that answers the JSON of Prometheus' http_sd.</summary>
    Http,
    Etcd,
    Consul,
    Zookeeper,
    RedisSentinel,

    /// <summary>The EndpointSlices of a service.</summary>
    Kubernetes,
}

/// <summary><c>role</c> of <c>[pools.discovery]</c>.</summary>
public enum SentinelRole
{
    Master,
    Replica,
}

/// <summary><c>on_backend_removed</c>.</summary>
public enum OnBackendRemoved
{
    Keep,
    Close,
}
