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

    public static ConfigResult Read(ReadOnlySpan<byte> utf8) => Read(utf8, new ConfigInputs());

    /// <param name="inputs">What the text refers to: variables and files.</param>
    public static ConfigResult Read(ReadOnlySpan<byte> utf8, ConfigInputs inputs) => Read(TomlReader.Read(utf8), inputs);

    internal static ConfigResult Read(TomlDocument document) => Read(document, new ConfigInputs());

    private static ConfigResult Read(TomlDocument main, ConfigInputs inputs)
    {
        ArgumentNullException.ThrowIfNull(inputs);
        WholeConfig whole = WholeConfig.Of(main, inputs);
        ErrorCollector errors = new(whole.Document.Errors, whole.Expanded, whole.IsComplete);
        foreach (ConfigError error in whole.Errors)
        {
            errors.AddFinal(error);
        }

        TableBinder root = new(ConfigSchema.Root, whole.Document.Root, "", errors);
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

        IncludeBinding.Bind(root);
        BalancerConfig config = new()
        {
            FromEnvironment = whole.Expanded.Written,
            Balancer = BalancerBinding.Bind(root.Table("balancer")),
            Admin = AdminBinding.Bind(admin, bound),
            Metrics = root.HasTable("metrics") ? MetricsBinding.Bind(metrics, bound) : null,
            Fleet = root.HasTable("fleet") ? FleetBinding.Bind(fleet) : null,
            Endpoint = root.HasTable("endpoint") ? EndpointBinding.Bind(endpoint, bound, files) : null,
            Dns = root.HasTable("dns") ? DnsBinding.Bind(dns, bound) : null,
            Listeners = BindListeners(root, bound, references),
            Pools = BindPools(root, references, targets, files, keys, packets),
        };
        if (config.Endpoint is null && config.Dns is null)
        {
            WarnOfUnused(root, config, references);
        }

        bound.ReportConflicts();
        keys.ReportUnread(config.Listeners);
        packets.ReportUnfit(config.Listeners);
        targets.ReportLoops(OwnListeners.Of(config.Listeners));

        ImmutableArray<ConfigError> found = errors.InOrder();
        return new ConfigResult(found.IsEmpty ? config : null, found, [.. files])
        {
            Warnings = errors.Warnings(),
            Includes = whole.Includes,
        };
    }

    private static void WarnOfUnused(TableBinder root, BalancerConfig config, PoolReferences references)
    {
        foreach ((PoolSettings pool, (TomlPosition position, string key)) in config.Pools.Zip(root.PlacesOf("pools")))
        {
            if (pool.Name.Length > 0 && !references.Has(pool.Name))
            {
                root.Errors.Warn(position, key, $"no listener uses pool {Quoted.Text(pool.Name)}");
            }
        }
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
