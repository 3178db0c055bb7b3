namespace L4Balancer.Core.Tests.Config;

/// <summary>The configuration as the contract with users shows it: every key there will be, with its default.</summary>
internal static class ContractExample
{
    public const string Text = """
        [balancer]
        workers         = 0         # event-loop threads; 0: one per available processor
        engine          = "auto"    # "auto" | "epoll" (Linux) | "managed" (System.IO.Pipelines, any platform)
        max_connections = 0         # 0: what the file-descriptor limit allows, reserve kept
        shutdown_delay  = "0s"      # SIGTERM: /readyz says 503 this long while connections are still accepted
        shutdown_grace  = "30s"     # then established connections are closed, spread over this time
        access_log      = "failures"  # "off" | "failures" (all but client_closed and backend_closed; rate-limited) | "all"
        access_log_start = false    # also a line when a connection is established
        access_log_every = "0s"     # and one for each living connection, this often
        log_format      = "text"    # "text" | "json" | "journal" (picked under systemd)
        log_level       = "info"
        keeper          = true      # Linux: connections outlive a crash of the daemon, kill -9 included
        keeper_timeout  = "30s"     # how long they wait for the next daemon
        watch           = false     # reload when the file changes on disk
        state_file      = ""        # where drain, maint and weight set at run time outlive a restart; "": in $STATE_DIRECTORY, else nowhere
        held_memory     = "0"       # bound on memory held for peers that do not read, all connections together

        [admin]                     # API, status page, health endpoints. Without `listen`: only the local socket
        socket     = "/run/l4balancer/admin.sock"   # mode 0660; without root $XDG_RUNTIME_DIR/l4balancer/admin.sock
        listen     = ""             # "127.0.0.1:9180", say
        token_file = ""             # bearer token, 16 characters or more
        hosts      = []             # host names under which the API and the page may be asked, beside addresses and localhost

        [metrics]                   # without this table nothing listens for it
        listen = "127.0.0.1:9464"   # Prometheus and OpenMetrics text at /metrics
        otlp   = ""                 # optional OTLP endpoint

        [dns]                           # answers for one zone with what lives: the balancers of the fleet, and backends by pool
        listen  = "0.0.0.0:53"          # UDP and TCP
        zone    = "lb.example.com"
        rate_per_source = 20            # a source is a /24 or /56; above it every second answer is empty and truncated (come by TCP), the others are dropped
        ttl     = "5s"
        address = []                    # this balancer's own public addresses

        [[listeners]]
        name   = "wss"
        bind   = ["0.0.0.0:443", "[::]:443"]
        pool   = "chat"
        mode = "relay"
        interface = ""
        forward = "l2"
        flows = 1000000
        freebind           = false      # IP_FREEBIND: bind an address that is not here yet (VRRP standby)
        mptcp              = false      # accept Multipath TCP where the kernel can; else plain TCP and a warning
        on_pool_down       = "refuse"   # "refuse" | "stop-listening": while no pool that this listener can choose has a living backend
        inspect            = "none"     # "none" | "tls" | "http": look at the first bytes, forward them untouched
        inspect_timeout    = "3s"
        inspect_limit      = "16KiB"
        inspect_failed     = "default"  # "default" | "refuse": what cannot be read as TLS or HTTP goes to `pool`, or is refused
        accept_proxy_from  = []         # CIDRs whose PROXY v1/v2 header is required and trusted
        allow = []                      # CIDRs; empty: everyone
        deny  = []
        max_connections             = 0
        max_connections_per_source  = 0 # a source is an IPv4 address or an IPv6 /64
        connection_rate_per_source  = 0
        backlog = 4096
        defer_accept       = "0s"       # TCP_DEFER_ACCEPT
        keepalive          = { idle = "60s", interval = "20s", count = 3 }
        user_timeout       = "0s"       # TCP_USER_TIMEOUT
        congestion_control = ""         # TCP_CONGESTION; empty: the system's
        send_buffer        = "0"        # SO_SNDBUF, receive_buffer SO_RCVBUF, both also of a pool; "0": the system's
          [[listeners.routes]]          # first match wins; none: `pool`
          sni  = []                     # inspect = "tls"; exact, or one leading "*." that stands for one or more labels; also alpn = ["h2"]
          alpn = []
          host = []                     # inspect = "http", as sni; also path = ["/rooms/*"]: exact, or a prefix that ends in "*"
          path = []
          source = ["192.0.2.0/24"]     # CIDRs of the client. Several keys of one route: all must fit; several values of a key: one must
          pool = "chat"

        [[pools]]
        name         = "chat"
        balance      = "ring"           # "ring" | "maglev" | "least-connections" | "random-two" | "round-robin"
        hash_key     = ["source-ip", "source-port", "destination-ip", "destination-port"]
                                        # also "source-net" (the client's network), "sni", "http-path", "http-path:N", "http-header:NAME", "http-cookie:NAME", "http-query:NAME"
        source_net   = { v4 = 24, v6 = 64 }  # prefix lengths of "source-net"
        bounded_load = 0.0              # 0: off; 1.25: no backend above 125% of its fair share
        source_ips   = []               # addresses the balancer connects from; empty: the kernel's choice
        connect_timeout   = "3s"
        connect_attempts  = 3           # other backends first; the same again after min(connect_timeout, 1s)
        idle_timeout      = "1h"        # no byte in either direction
        half_close_timeout = "5m"       # no byte after one side has finished; never longer than idle_timeout
        max_age           = "0s"        # close connections this old, jittered by a tenth
        keepalive         = { idle = "60s", interval = "20s", count = 3 }
        user_timeout      = "0s"
        congestion_control = ""
        transparent       = false       # connect from the client's own address (IP_TRANSPARENT; needs CAP_NET_ADMIN and routes, see docs)
        send_proxy        = "none"      # "none" | "v1" | "v2"
        panic_threshold   = 0.0         # below this healthy share, health is ignored
        slow_start        = "0s"
        new_connection_rate = 0         # per backend, queued above
        abort_on_close    = false       # a queued connection whose client has sent FIN gives up its place
        on_backend_down   = "keep"      # "keep" | "close": what happens to established connections
        on_backend_removed = "keep"     # "keep" | "close": what happens to the connections of one that has left the file or the discovery
        close_rate        = 500         # paced closing, connections per second
          [pools.sticky]                # beside any balance: the same hash_key goes where it went, though backends come and go
          ttl     = "0s"                # after its last connection; "0s": no table
          entries = 100000              # the oldest leaves first
          [pools.health]
          type          = "tcp"         # "none" | "tcp" | "tls" | "http" | "https" | "ws" | "wss" | "mqtt" | "mqtts"
          send   = ""                   # tcp, tls: written once connected
          expect = ""                   # tcp, tls: what the answer must contain, within 4 KiB and the timeout
          interval      = "2s"
          fast_interval = "500ms"       # while in transition
          down_interval = "5s"
          jitter        = 0.1
          timeout       = "1s"
          rise = 2
          fall = 3
          port = 0                      # 0: the backend's
          path = "/"                    # http, ws
          host = ""                     # Host header and SNI
          status  = "200-399"           # http
          headers = {}
          verify  = false               # tls: check the certificate, against ca_file or the system's
          ca_file = ""
          [pools.passive]
          failures = 5                  # consecutive failed connects (never the balancer's own shortages) mark a backend down; 0: off
          retry    = "10s"              # without active probes: then one connection is let through; success marks up
          early_close = "0s"            # a connection that the backend ends this soon, without a byte, counts as failed; off: clients can cause it
          [pools.discovery]             # beside [[pools.backends]] or instead; one source a pool
          dns        = "_ws._tcp.chat.example.com"   # SRV; or "chat.example.com:8443": each A and AAAA is a backend
          servers    = []               # dns: name servers "10.0.0.53:53"; []: as the system
          file       = ""               # a TOML file of [[backends]] tables, watched
          http       = ""               # a URL polled for the JSON of Prometheus' http_sd
          etcd       = []               # ["http://10.0.0.1:2379"]; keys under `prefix`, values {"address","weight","backup","public_url"}
          consul     = ""               # "http://127.0.0.1:8500", with `service`
          zookeeper  = []               # ["10.0.0.1:2181"]; the children of `prefix` hold the same values
          redis_sentinel = []           # ["10.0.0.1:26379"], with `service` (the master's name) and `role` = "master" | "replica"
          kubernetes = ""               # "in-cluster" or the URL of the API, with `namespace`, `service` and `port`: its EndpointSlices
          prefix     = ""               # etcd, zookeeper; "": /l4balancer/{fleet name}/pools/{pool}/backends/
          service    = ""
          namespace  = "default"
          port       = ""               # kubernetes: name or number of the port; "": the first
          role       = "master"
          token_file = ""               # bearer token; also ca_file, cert_file, key_file, user, password_file (etcd, Sentinel, ZooKeeper digest)
          ca_file = ""
          cert_file = ""
          key_file = ""
          user = ""
          password_file = ""
          interval   = "30s"            # dns (or the record's TTL, if shorter; at least 1s) and http: how often; else: how often all of it is read again
          hold       = "30s"            # an empty set, or one of less than half, is believed only after this long and a second reading
          [[pools.backends]]
          name            = "ws1"
          address         = "10.0.1.21:8443"
          weight          = 100         # 0 to 1000; 0: no new connections
          max_connections = 0
          backup          = false
          public_url      = ""          # what GET /v1/endpoint hands out

        [endpoint]                      # hands clients the URL of a backend, so that they connect to it directly; a listener of its own
        listen          = "0.0.0.0:9190"
        allow_origins   = []            # CORS; ["*"]: any
        rate_per_source = 10
        cert_file       = ""            # with key_file: HTTPS, which pages served by HTTPS need
        key_file        = ""
        ttl             = "30s"         # how long an answer may be used
        secret_file     = ""            # 32 bytes or more. With it answers carry a token
        """;
}
