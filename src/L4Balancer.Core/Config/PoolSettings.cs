using System.Collections.Immutable;
using System.Globalization;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Inspection;

namespace L4Balancer.Core.Config;

/// <summary>One table <c>[[pools]]</c>.</summary>
public sealed record PoolSettings
{
    /// <summary>The largest number of backends: the ring stores their indices in 16 bits.</summary>
    public const int MostBackends = 65_000;

    public static readonly TimeSpan DefaultHalfCloseTimeout = TimeSpan.FromMinutes(5);

    public required string Name { get; init; }

    public BalanceKind Balance { get; init; } = BalanceKind.Ring;

    public TupleFields HashKey { get; init; } = TupleFields.All;

    /// <summary>The named fields of <c>hash_key</c>, which are hashed after those of <see cref="HashKey"/>.</summary>
    public ImmutableArray<HashKeyField> HashFields { get; init; } = [];

    /// <summary>Prefix lengths of the client's network, for a <see cref="HashKey"/> with <see cref="TupleFields.SourceNet"/>.</summary>
    public SourceNet SourceNet { get; init; } = SourceNet.Default;

    /// <summary>Bounded load for ring and maglev: maximum load of a backend as a multiple of its fair share; 0 means off.</summary>
    public double BoundedLoad { get; init; }

    /// <summary>Fraction of healthy backends below which health is ignored; 0 means never.</summary>
    public double PanicThreshold { get; init; }

    /// <summary>Slow start: time over which the share of a recovered or new backend grows to its full value; zero means at once.</summary>
    public TimeSpan SlowStart { get; init; }

    /// <summary>Maximum number of new connections per second and backend; excess connections are queued. 0 means no limit.</summary>
    public int NewConnectionRate { get; init; }

    /// <summary>How established connections of a backend that goes down are handled.</summary>
    public OnBackendDown OnBackendDown { get; init; } = OnBackendDown.Keep;

    /// <summary>How established connections of a backend that leaves the configuration are handled.</summary>
    public OnBackendRemoved OnBackendRemoved { get; init; } = OnBackendRemoved.Keep;

    /// <summary>Rate of paced closing in connections per second over the whole pool; 0 means all at once.</summary>
    public int CloseRate { get; init; } = 500;

    /// <summary>Addresses the balancer connects from; empty means the kernel chooses.</summary>
    public ImmutableArray<HostAddress> SourceIps { get; init; } = [];

    /// <summary>IP_TRANSPARENT (ip(7)): connects come from the client's own address.</summary>
    public bool Transparent { get; init; }

    /// <summary>The PROXY header that a backend receives first.</summary>
    public SendProxy SendProxy { get; init; }

    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(3);

    public int ConnectAttempts { get; init; } = 3;

    public TimeSpan IdleTimeout { get; init; } = TimeSpan.FromHours(1);

    /// <summary>Time without a byte after one side has finished; never longer than <see cref="IdleTimeout"/>.</summary>
    public TimeSpan HalfCloseTimeout { get; init; } = DefaultHalfCloseTimeout;

    /// <summary>
    /// Whether a connection that waits for <c>new_connection_rate</c> gives up its place when its client has sent FIN and nothing else.
    /// </summary>
    public bool AbortOnClose { get; init; }

    /// <summary>Maximum age of a connection; each is closed up to 10% earlier. Zero means no limit.</summary>
    public TimeSpan MaxAge { get; init; }

    public KeepaliveSettings Keepalive { get; init; } = new();

    /// <summary>TCP_USER_TIMEOUT (tcp(7)).</summary>
    public TimeSpan UserTimeout { get; init; }

    /// <summary>TCP_CONGESTION (tcp(7)); empty means the system's default.</summary>
    public string CongestionControl { get; init; } = "";

    /// <summary>SO_SNDBUF (socket(7)) of backend connections; zero means the system's, which grows with the traffic (tcp(7), tcp_wmem).</summary>
    public ByteSize SendBuffer { get; init; }

    /// <summary>SO_RCVBUF (socket(7)) of backend connections; zero means the system's, which grows with the traffic (tcp(7), tcp_rmem).</summary>
    public ByteSize ReceiveBuffer { get; init; }

    public StickySettings Sticky { get; init; } = new();

    public HealthSettings Health { get; init; } = new();

    public PassiveSettings Passive { get; init; } = new();

    /// <summary>Null if the pool has only the backends of the file.</summary>
    public DiscoverySettings? Discovery { get; init; }

    public ImmutableArray<BackendSettings> Backends { get; init; } = [];

    /// <summary>Whether all of it has the same values; the equality of records compares collections by reference.</summary>
    public bool HasSameValues(PoolSettings other)
    {
        ArgumentNullException.ThrowIfNull(other);
        return ReferenceEquals(this, other)
            || (SourceIps.SequenceEqual(other.SourceIps)
                && HashFields.SequenceEqual(other.HashFields)
                && Backends.SequenceEqual(other.Backends)
                && Health.HasSameValues(other.Health)
                && (Discovery is null ? other.Discovery is null : other.Discovery is not null && Discovery.HasSameValues(other.Discovery))
                && this with
                {
                    SourceIps = other.SourceIps,
                    HashFields = other.HashFields,
                    Backends = other.Backends,
                    Health = other.Health,
                    Discovery = other.Discovery,
                } == other);
    }
}

/// <summary><c>[[pools]]</c>.</summary>
internal static class PoolBinding
{
    private const int HighestCloseRate = 1_000_000;
    private const int HighestConnectionRate = 1_000_000;
    private const double LeastBoundedLoad = 1.01;
    private const double MostBoundedLoad = 100;

    private const string SourcesForm = "an array of IP addresses of this machine, like [\"10.0.0.1\"]";

    private static readonly PoolSettings Defaults = new() { Name = "" };

    /// <param name="table">The table of one pool.</param>
    /// <param name="names">The names of the pools read so far.</param>
    /// <param name="targets">The addresses of its backends and of their probes are added.</param>
    /// <param name="files">The files that the pool refers to are added.</param>
    /// <param name="keys">The named fields of its <c>hash_key</c> are added, to be checked once all listeners are known.</param>
    /// <param name="packets">The pool is added, to be checked once all listeners are known.</param>
    /// <param name="named">False if the name could not be read, so that references to it cannot be checked.</param>
    public static PoolSettings Bind(
        TableBinder table, Claims<string> names, ConnectTargets targets, List<NamedFile> files, HashKeyReferences keys,
        PacketPools packets, out bool named)
    {
        string name = Defaults.Name;
        named = table.TryRequire("name", "a name", out Setting setting) && setting.TryName(out name);
        if (named)
        {
            names.TryClaim(name, setting);
        }

        (TableBinder health, TableBinder sticky) = (table.Table("health"), table.Table("sticky"));
        TimeSpan idle = table.Duration("idle_timeout", Defaults.IdleTimeout, TimeSpan.Zero, Duration.Longest);
        PoolSettings pool = new()
        {
            Name = name,
            Balance = table.Choice("balance", Defaults.Balance, Vocabulary.Balance),
            HashKey = HashKeyBinding.Bind(table, Defaults.HashKey, keys, out ImmutableArray<HashKeyField> fields),
            HashFields = fields,
            SourceNet = BindSourceNet(table),
            BoundedLoad = BindBoundedLoad(table),
            PanicThreshold = table.Number("panic_threshold", Defaults.PanicThreshold, 0, 1),
            SlowStart = table.Duration("slow_start", Defaults.SlowStart, TimeSpan.Zero, Duration.Longest),
            OnBackendDown = table.Choice("on_backend_down", Defaults.OnBackendDown, Vocabulary.OnBackendDown),
            OnBackendRemoved = table.Choice("on_backend_removed", Defaults.OnBackendRemoved, Vocabulary.OnBackendRemoved),
            NewConnectionRate = table.Integer("new_connection_rate", Defaults.NewConnectionRate, 0, HighestConnectionRate),
            CloseRate = table.Integer("close_rate", Defaults.CloseRate, 0, HighestCloseRate),
            SourceIps = BindSources(table, out Setting sources),
            Transparent = BindTransparent(table, sources),
            SendProxy = table.Choice("send_proxy", Defaults.SendProxy, Vocabulary.SendProxy),
            ConnectTimeout = table.Duration("connect_timeout", Defaults.ConnectTimeout, TimeSpan.Zero, Duration.LongestMilliseconds),
            ConnectAttempts = table.Integer("connect_attempts", Defaults.ConnectAttempts, 1, 16),
            IdleTimeout = idle,
            HalfCloseTimeout = BindHalfClose(table, idle),
            AbortOnClose = table.Boolean("abort_on_close", Defaults.AbortOnClose),
            MaxAge = table.Duration("max_age", Defaults.MaxAge, TimeSpan.Zero, Duration.Longest),
            Keepalive = KeepaliveBinding.Bind(table.Table("keepalive")),
            UserTimeout = table.Duration("user_timeout", Defaults.UserTimeout, TimeSpan.Zero, Duration.LongestMilliseconds),
            CongestionControl = CongestionControlBinding.Bind(table, Defaults.CongestionControl),
            SendBuffer = SocketBufferBinding.Bind(table, "send_buffer", Defaults.SendBuffer),
            ReceiveBuffer = SocketBufferBinding.Bind(table, "receive_buffer", Defaults.ReceiveBuffer),
            Sticky = StickyBinding.Bind(sticky),
            Health = HealthBinding.Bind(health, files),
            Passive = PassiveBinding.Bind(table.Table("passive")),
            Discovery = BindDiscovery(table, files),
            Backends = BindBackends(table, targets, packets),
        };
        packets.Add(pool, table, sticky);
        ReportFamiliesWithoutSource(pool, sources);
        AddProbes(pool, health, targets);
        return pool;
    }

    private static DiscoverySettings? BindDiscovery(TableBinder table, List<NamedFile> files)
    {
        // A value that is no table is reported by reading it as one.
        bool isTable = table.HasTable("discovery");
        return table.Mentions("discovery") && table.Table("discovery") is { } source && isTable ? DiscoveryBinding.Bind(source, files) : null;
    }

    // At exactly 1, a pool whose shares are not whole numbers could not take its next connection.
    private static double BindBoundedLoad(TableBinder table)
    {
        double bound = table.Number("bounded_load", Defaults.BoundedLoad, 0, MostBoundedLoad);
        if (bound is > 0 and < LeastBoundedLoad && table.TryGet("bounded_load", out Setting setting))
        {
            setting.Reject(string.Create(
                CultureInfo.InvariantCulture, $"{bound} is out of range; allowed: 0, or {LeastBoundedLoad} to {MostBoundedLoad}"));
        }

        return bound;
    }

    private static bool BindTransparent(TableBinder table, Setting sources)
    {
        bool isTransparent = table.Boolean("transparent", Defaults.Transparent);
        if (isTransparent && sources.Node is Toml.TomlArray { Items.IsEmpty: false } && table.TryGet("transparent", out Setting setting))
        {
            setting.Reject("connects from the client's address, and source_ips names others; leave one of them out");
        }

        return isTransparent;
    }

    private static SourceNet BindSourceNet(TableBinder table)
    {
        if (!table.TryGet("source_net", out Setting setting))
        {
            return Defaults.SourceNet;
        }

        if (setting.Node is not Toml.TomlTable lengths)
        {
            setting.WrongType("an inline table like { v4 = 24, v6 = 64 }");
            return Defaults.SourceNet;
        }

        TableBinder net = new(ConfigSchema.SourceNet, lengths, setting.Key, table.Errors);
        return new SourceNet(
            net.Integer("v4", Defaults.SourceNet.V4, 1, 32),
            net.Integer("v6", Defaults.SourceNet.V6, 1, 128));
    }

    /// <param name="table">The table of one pool.</param>
    /// <param name="sources">The value, or the default if the key is absent or one of its items is wrong.</param>
    private static ImmutableArray<HostAddress> BindSources(TableBinder table, out Setting sources)
    {
        sources = default;
        if (!table.TryGet("source_ips", out Setting setting) || !setting.TryItems(SourcesForm, out ImmutableArray<Setting> items))
        {
            return Defaults.SourceIps;
        }

        Claims<HostAddress> claims = new("source_ips");
        ImmutableArray<HostAddress>.Builder addresses = ImmutableArray.CreateBuilder<HostAddress>(items.Length);
        foreach (Setting item in items)
        {
            if (!item.TryAddress(out HostAddress address))
            {
                continue;
            }

            if (address.IsAny)
            {
                item.Reject($"\"{address}\" is not a single address; allowed: {SourcesForm}, or [] for the kernel's choice");
            }
            else if (claims.TryClaim(address, item))
            {
                addresses.Add(address);
            }
        }

        sources = addresses.Count == items.Length ? setting : default;
        return addresses.ToImmutable();
    }

    private static TimeSpan BindHalfClose(TableBinder table, TimeSpan idle)
    {
        TimeSpan value = PoolSettings.DefaultHalfCloseTimeout;
        if (table.TryGet("half_close_timeout", out Setting setting))
        {
            value = default;
            if (setting.Node is not Toml.TomlString { Value: "" })
            {
                setting.TryDuration(TimeSpan.Zero, Duration.Longest, out value);
            }
        }

        // Zero is off for either of them.
        return value == TimeSpan.Zero || (idle > TimeSpan.Zero && idle < value) ? idle : value;
    }

    private static ImmutableArray<BackendSettings> BindBackends(TableBinder table, ConnectTargets targets, PacketPools packets)
    {
        ImmutableArray<TableBinder> tables = table.Tables("backends");
        if (tables.IsEmpty && !table.Mentions("discovery"))
        {
            table.ReportMissing("backends", "at least one [[pools.backends]] with name and address");
        }
        else if (tables.Length > PoolSettings.MostBackends)
        {
            table.Errors.Add(
                tables[PoolSettings.MostBackends].Position,
                table.KeyOf("backends"),
                $"more than {PoolSettings.MostBackends} backends; allowed: 1 to {PoolSettings.MostBackends} in a pool");
        }

        Claims<string> names = new("the backends of a pool");
        foreach (TableBinder backend in tables)
        {
            packets.AddBackend(backend);
        }

        return [.. tables.Select(backend => BackendBinding.Bind(backend, names, targets))];
    }

    private static void AddProbes(PoolSettings pool, TableBinder health, ConnectTargets targets)
    {
        if (pool.Health.Type == HealthType.None || pool.Health.Port == 0 || !health.TryGet("port", out Setting port))
        {
            return;
        }

        foreach (Endpoint endpoint in pool.Backends.Where(b => b.Endpoint is { IsUnix: false }).Select(b => b.Endpoint!.Value))
        {
            targets.AddProbe(endpoint with { Port = (ushort)pool.Health.Port }, port);
        }
    }

    // Such a backend could never be reached: bind(2) does not accept a source of the other family.
    private static void ReportFamiliesWithoutSource(PoolSettings pool, Setting sources)
    {
        if (sources.Node is null || pool.SourceIps.IsEmpty)
        {
            return;
        }

        foreach (bool v4 in (ReadOnlySpan<bool>)[true, false])
        {
            BackendSettings? backend = pool.Backends.FirstOrDefault(b => b.Endpoint is { IsUnix: false } known && known.Address.IsV4 == v4);
            if (backend is not null && !pool.SourceIps.Any(s => s.IsV4 == v4))
            {
                string family = v4 ? "IPv4" : "IPv6";
                sources.Errors.AddIfWhole(
                    sources.Position,
                    sources.Key,
                    $"no {family} address, but backend {Quoted.Text(backend.Address)} is {family}; "
                    + "add one, or use [] for the kernel's choice");
            }
        }
    }
}
