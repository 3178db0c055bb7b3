using System.Collections.Immutable;
using L4Balancer.Core.Toml;

namespace L4Balancer.Core.Config;

/// <summary>
/// Converts the text of <c>balancer.toml</c> into a validated configuration. Pure: opens no files. Never throws on invalid text;
/// returns all errors at once, those of the syntax and those found in the parts that could be parsed.
/// </summary>
public static class ConfigReader
{
    /// <summary>The largest text that is read, in bytes; a larger one is one error.</summary>
    public const int LargestText = TomlText.MaxBytes;

    public static ConfigResult Read(ReadOnlySpan<byte> utf8) => Read(TomlReader.Read(utf8));

    internal static ConfigResult Read(TomlDocument document)
    {
        ErrorCollector errors = new(document.Errors);
        TableBinder root = new(ConfigSchema.Root, document.Root, "", errors);
        BoundAddresses bound = new();
        PoolReferences references = new();
        ConnectTargets targets = new();
        HashKeyReferences keys = new();
        PacketPools packets = new();
        List<NamedFile> files = [];

        TableBinder admin = root.Table("admin");
        TableBinder metrics = root.Table("metrics");
        TableBinder fleet = root.Table("fleet");
        TableBinder endpoint = root.Table("endpoint");
        TableBinder dns = root.Table("dns");

        BalancerConfig config = new()
        {
            Balancer = BalancerBinding.Bind(root.Table("balancer")),
            Admin = AdminBinding.Bind(admin, bound),
            Metrics = root.HasTable("metrics") ? MetricsBinding.Bind(metrics, bound) : null,
            Fleet = root.HasTable("fleet") ? FleetBinding.Bind(fleet) : null,
            Endpoint = root.HasTable("endpoint") ? EndpointBinding.Bind(endpoint, bound, files) : null,
            Dns = root.HasTable("dns") ? DnsBinding.Bind(dns, bound) : null,
            Listeners = BindListeners(root, bound, references),
            Pools = BindPools(root, references, targets, files, keys, packets),
        };
        bound.ReportConflicts();
        keys.ReportUnread(config.Listeners);
        packets.ReportUnfit(config.Listeners);
        targets.ReportLoops(OwnListeners.Of(config.Listeners));

        ImmutableArray<ConfigError> found = errors.InOrder();
        return new ConfigResult(found.IsEmpty ? config : null, found, [.. files]);
    }

    private static ImmutableArray<ListenerSettings> BindListeners(TableBinder root, BoundAddresses bound, PoolReferences references)
    {
        ImmutableArray<TableBinder> tables = root.Tables("listeners");
        if (tables.IsEmpty)
        {
            root.ReportMissing("listeners", "at least one [[listeners]] with name, bind and pool");
        }

        Claims<string> names = new("the listeners");
        return [.. tables.Select(listener => ListenerBinding.Bind(listener, names, bound, references))];
    }

    private static ImmutableArray<PoolSettings> BindPools(
        TableBinder root, PoolReferences references, ConnectTargets targets, List<NamedFile> files, HashKeyReferences keys,
        PacketPools packets)
    {
        ImmutableArray<TableBinder> tables = root.Tables("pools");
        if (tables.IsEmpty)
        {
            root.ReportMissing("pools", "at least one [[pools]] with name and [[pools.backends]]");
        }

        Claims<string> names = new("the pools");
        bool allNamed = !tables.IsEmpty;
        ImmutableArray<PoolSettings>.Builder pools = ImmutableArray.CreateBuilder<PoolSettings>(tables.Length);
        foreach (TableBinder table in tables)
        {
            pools.Add(PoolBinding.Bind(table, names, targets, files, keys, packets, out bool named));
            keys.Name(pools[^1].Name);
            allNamed &= named;
        }

        // With an unreadable pool name, a correct reference to that pool would be reported as an error.
        if (allNamed)
        {
            references.ReportDangling(names.Values);
        }

        return pools.ToImmutable();
    }
}
