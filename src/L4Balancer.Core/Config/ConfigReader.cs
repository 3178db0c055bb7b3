using System.Collections.Immutable;
using L4Balancer.Core.Toml;

namespace L4Balancer.Core.Config;

/// <summary>
/// Text of <c>balancer.toml</c> to a validated configuration. Pure: no file is opened here. Never throws on bad text; every mistake
/// comes in one go, those of the syntax and those found in what could be read despite them.
/// </summary>
public static class ConfigReader
{
    public static ConfigResult Read(ReadOnlySpan<byte> utf8) => Read(TomlReader.Read(utf8));

    internal static ConfigResult Read(TomlDocument document)
    {
        ErrorCollector errors = new(document.Errors);
        TableBinder root = new(ConfigSchema.Root, document.Root, "", errors);
        BoundAddresses bound = new();
        PoolReferences references = new();
        List<NamedFile> files = [];

        TableBinder admin = root.Table("admin");
        TableBinder metrics = root.Table("metrics");

        BalancerConfig config = new()
        {
            Balancer = BalancerBinding.Bind(root.Table("balancer")),
            Admin = BalancerBinding.BindAdmin(admin, bound),
            Metrics = root.HasTable("metrics") ? BalancerBinding.BindMetrics(metrics, bound) : null,
            Listeners = BindListeners(root, bound, references),
            Pools = BindPools(root, references, files),
        };
        bound.ReportConflicts();

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

    private static ImmutableArray<PoolSettings> BindPools(TableBinder root, PoolReferences references, List<NamedFile> files)
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
            pools.Add(PoolBinding.Bind(table, names, files, out bool named));
            allNamed &= named;
        }

        // A listener whose pool has lost its name would be blamed for the pool's mistake.
        if (allNamed)
        {
            references.ReportDangling(names.Values);
        }

        return pools.ToImmutable();
    }
}
