namespace L4Balancer.Bench.Contestants;

/// <summary>What a balancer does beside relaying; each contestant is configured for the same.</summary>
internal enum Duty
{
    Relay,

    /// <summary>Every connection is logged, into a file in its directory.</summary>
    AccessLog,

    /// <summary>The server name of the ClientHello chooses the pool. Without one of the names there is no backend.</summary>
    ServerNames,

    /// <summary>
    /// Connections begin with a PROXY header, and so do those to the backends, with the address of the client that the first names. Version 2
    /// in both, but of nginx version 1 to the backends: it writes no other (proxy_protocol of ngx_stream_proxy_module).
    /// </summary>
    Proxy,
}
