using System.Collections.Immutable;
using L4Balancer.Core.Addressing;

namespace L4Balancer.Core.Config;

/// <summary>One table <c>[[listeners]]</c>.</summary>
public sealed record ListenerSettings
{
    /// <summary>The upper bound of <see cref="InspectTimeout"/>, which holds also where that is zero.</summary>
    public static readonly TimeSpan LongestInspection = TimeSpan.FromMinutes(5);

    /// <summary>The largest number of backends in a pool of a packet listener: the kernel's program has room for as many.</summary>
    public const int MostPacketBackends = 1024;

    public required string Name { get; init; }

    /// <summary>Every address that is listened on; a range of ports as its single ports.</summary>
    public required ImmutableArray<Endpoint> Bind { get; init; }

    public required string Pool { get; init; }

    /// <summary>Whether its connections are relayed, or its packets sent on.</summary>
    public ListenerMode Mode { get; init; }

    /// <summary>Where packets arrive and leave; empty for a relay listener.</summary>
    public string Interface { get; init; } = "";

    /// <summary>How packets get to their backends.</summary>
    public PacketForward Forward { get; init; }

    /// <summary>How many flows of packets are remembered, so that they stay when backends come and go; 0: none.</summary>
    public int Flows { get; init; } = 1_000_000;

    /// <summary>
    /// Packets in tunnels name the backend of the table before the last change, which gets what the new one has no connection for; with
    /// <see cref="PacketForward.Ipip"/> only.
    /// </summary>
    public bool SecondChance { get; init; }

    /// <summary>IP_FREEBIND (ip(7)): an address that this host does not have yet may be bound.</summary>
    public bool Freebind { get; init; }

    /// <summary>Multipath TCP (RFC 8684) is accepted where the kernel supports it; plain TCP is in any case.</summary>
    public bool Mptcp { get; init; }

    /// <summary>What becomes of the listening sockets while no backend of the pool is living.</summary>
    public OnPoolDown OnPoolDown { get; init; } = OnPoolDown.Refuse;

    /// <summary>Peers whose PROXY header is required and trusted; what others send is payload.</summary>
    public ImmutableArray<Cidr> AcceptProxyFrom { get; init; } = [];

    /// <summary>What is read of the first bytes of a client, which are forwarded untouched.</summary>
    public InspectKind Inspect { get; init; }

    /// <summary>How long the first bytes are waited for, a PROXY header included; zero means <see cref="LongestInspection"/>.</summary>
    public TimeSpan InspectTimeout { get; init; } = TimeSpan.FromSeconds(3);

    /// <summary>The most bytes that are looked at, without a PROXY header.</summary>
    public ByteSize InspectLimit { get; init; } = new(16 * 1024);

    public InspectFailed InspectFailed { get; init; } = InspectFailed.Default;

    /// <summary>The first that fits decides; if none does, <see cref="Pool"/>.</summary>
    public ImmutableArray<RouteSettings> Routes { get; init; } = [];

    public int Backlog { get; init; } = 4096;

    /// <summary>Maximum number of connections; 0 means no limit for this listener.</summary>
    public int MaxConnections { get; init; }

    /// <summary>Client addresses that may connect; empty means all that are not denied.</summary>
    public ImmutableArray<Cidr> Allow { get; init; } = [];

    public ImmutableArray<Cidr> Deny { get; init; } = [];

    /// <summary>Maximum number of connections per client, an IPv4 address or an IPv6 /64; 0 means no limit.</summary>
    public int MaxConnectionsPerSource { get; init; }

    /// <summary>Maximum number of new connections per second and client; 0 means no limit.</summary>
    public int ConnectionRatePerSource { get; init; }

    /// <summary>TCP_DEFER_ACCEPT (tcp(7)), whole seconds; zero means off.</summary>
    public TimeSpan DeferAccept { get; init; }

    public KeepaliveSettings Keepalive { get; init; } = new();

    /// <summary>TCP_USER_TIMEOUT (tcp(7)).</summary>
    public TimeSpan UserTimeout { get; init; }

    /// <summary>TCP_CONGESTION (tcp(7)); empty means the system's default.</summary>
    public string CongestionControl { get; init; } = "";

    /// <summary>SO_SNDBUF (socket(7)) of client connections; zero means the system's, which grows with the traffic (tcp(7), tcp_wmem).</summary>
    public ByteSize SendBuffer { get; init; }

    /// <summary>SO_RCVBUF (socket(7)) of client connections; zero means the system's, which grows with the traffic (tcp(7), tcp_rmem).</summary>
    public ByteSize ReceiveBuffer { get; init; }
}

/// <summary><c>[[listeners]]</c>.</summary>
internal static class ListenerBinding
{
    private const string BindForm = "an array of addresses with a port, like [\"0.0.0.0:443\", \"[::]:443\"]";

    private const string OrElse = ", a range of ports, like \"0.0.0.0:27000-27099\", or a UNIX socket, like \"unix:/run/chat.sock\"";

    /// <summary>Each address has a descriptor, and each event loop watches it.</summary>
    private const int MostAddresses = 1000;

    /// <summary>The kernel's table takes about 100 bytes for each flow, at once.</summary>
    private const int MostFlows = 1 << 24;

    // The kernel counts in retransmissions, whose intervals double: beyond this value it would round by a minute and more.
    private static readonly TimeSpan LongestDefer = TimeSpan.FromMinutes(5);

    private static readonly ListenerSettings Defaults = new() { Name = "", Bind = [], Pool = "" };

    /// <param name="table">The table of one listener.</param>
    /// <param name="names">The names of the listeners read so far.</param>
    /// <param name="bound">The addresses of this listener are added.</param>
    /// <param name="pools">The reference to its pool is added, to be resolved once all pools are known.</param>
    public static ListenerSettings Bind(TableBinder table, Claims<string> names, BoundAddresses bound, PoolReferences pools)
    {
        if (table.TryRequire("name", "a name", out Setting setting) && setting.TryName(out string name))
        {
            names.TryClaim(name, setting);
        }
        else
        {
            name = Defaults.Name;
        }

        ListenerMode mode = table.Choice("mode", Defaults.Mode, Vocabulary.Mode);
        InspectKind inspect = table.Choice("inspect", Defaults.Inspect, Vocabulary.Inspect);
        ListenerSettings listener = new()
        {
            Name = name,
            Bind = BindAddresses(table, bound),
            Pool = BindPool(table, pools),
            Mode = mode,
            Interface = PacketBinding.BindInterface(table, mode, Defaults.Interface),
            Forward = table.Choice("forward", Defaults.Forward, Vocabulary.Forward),
            Flows = table.Integer("flows", Defaults.Flows, 0, MostFlows),
            SecondChance = table.Boolean("second_chance", Defaults.SecondChance),
            Freebind = table.Boolean("freebind", Defaults.Freebind),
            Mptcp = table.Boolean("mptcp", Defaults.Mptcp),
            OnPoolDown = table.Choice("on_pool_down", Defaults.OnPoolDown, Vocabulary.OnPoolDown),
            AcceptProxyFrom = RangeBinding.Bind(table, "accept_proxy_from"),
            Inspect = inspect,
            InspectTimeout = table.Duration("inspect_timeout", Defaults.InspectTimeout, TimeSpan.Zero, ListenerSettings.LongestInspection),
            InspectLimit = InspectLimitBinding.Bind(table, Defaults.InspectLimit),
            InspectFailed = table.Choice("inspect_failed", Defaults.InspectFailed, Vocabulary.InspectFailed),
            Routes = RouteBinding.Bind(table, inspect, pools),
            Backlog = table.Integer("backlog", Defaults.Backlog, 1, 65_535),
            MaxConnections = table.Integer("max_connections", Defaults.MaxConnections, 0, int.MaxValue),
            Allow = RangeBinding.Bind(table, "allow"),
            Deny = RangeBinding.Bind(table, "deny"),
            MaxConnectionsPerSource = table.Integer("max_connections_per_source", Defaults.MaxConnectionsPerSource, 0, int.MaxValue),
            ConnectionRatePerSource = table.Integer("connection_rate_per_source", Defaults.ConnectionRatePerSource, 0, 1_000_000),
            DeferAccept = table.WholeSeconds("defer_accept", Defaults.DeferAccept, TimeSpan.Zero, LongestDefer),
            Keepalive = KeepaliveBinding.Bind(table.Table("keepalive")),
            UserTimeout = table.Duration("user_timeout", Defaults.UserTimeout, TimeSpan.Zero, Duration.LongestMilliseconds),
            CongestionControl = CongestionControlBinding.Bind(table, Defaults.CongestionControl),
            SendBuffer = SocketBufferBinding.Bind(table, "send_buffer", Defaults.SendBuffer),
            ReceiveBuffer = SocketBufferBinding.Bind(table, "receive_buffer", Defaults.ReceiveBuffer),
        };
        InspectLimitBinding.ReportSmallBuffer(table, listener);
        PacketBinding.ReportUnfit(table, listener, Defaults);
        return listener;
    }

    private static ImmutableArray<Endpoint> BindAddresses(TableBinder table, BoundAddresses bound)
    {
        if (!table.TryRequire("bind", BindForm, out Setting bind) || !bind.TryItems(BindForm, out ImmutableArray<Setting> items))
        {
            return [];
        }

        if (items.IsEmpty)
        {
            bind.Reject($"is empty; needed: {BindForm}");
        }

        ImmutableArray<Endpoint>.Builder endpoints = ImmutableArray.CreateBuilder<Endpoint>(items.Length);
        foreach (Setting item in items)
        {
            if (!TryBindItem(item, out IEnumerable<Endpoint> some))
            {
                continue;
            }

            Endpoint[] all = [.. some];
            if (endpoints.Count + all.Length > MostAddresses)
            {
                item.Reject($"makes more than {MostAddresses} addresses and ports of this listener; allowed: 1 to {MostAddresses}");
                break;
            }

            endpoints.AddRange(all);
            foreach (Endpoint endpoint in all)
            {
                bound.Add(endpoint, item);
            }
        }

        return endpoints.ToImmutable();
    }

    private static bool TryBindItem(Setting item, out IEnumerable<Endpoint> endpoints)
    {
        endpoints = [];
        if (item.Node is Toml.TomlString { Value: var text })
        {
            if (Endpoint.IsUnixText(text))
            {
                bool fits = item.TryUnix(text, out Endpoint socket);
                endpoints = [socket];
                return fits;
            }

            if (PortSpan.TryParse(text, out PortSpan span))
            {
                endpoints = span.Endpoints;
                return LinkLocal.Check(item, text, span.Address);
            }
        }

        bool isEndpoint = item.TryEndpoint(0, OrElse, out Endpoint endpoint);
        endpoints = [endpoint];
        return isEndpoint;
    }

    private static string BindPool(TableBinder table, PoolReferences pools)
    {
        if (!table.TryRequire("pool", "the name of a pool", out Setting setting) || !setting.TryText("the name of a pool", out string pool))
        {
            return Defaults.Pool;
        }

        pools.Add(pool, setting);
        return pool;
    }
}
