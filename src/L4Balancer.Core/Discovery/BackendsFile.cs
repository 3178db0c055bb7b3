using System.Collections.Immutable;
using System.Globalization;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Toml;

namespace L4Balancer.Core.Discovery;

/// <summary>
/// The file of the source <c>file</c>: TOML with one table <c>[[backends]]</c> for each backend. Pure: opens no files. Never throws on invalid
/// text.
/// </summary>
public static class BackendsFile
{
    /// <summary>The largest text that is read, in bytes.</summary>
    public const int LargestText = ConfigReader.LargestText;

    private const string Key = "backends";

    private static readonly SchemaTable Backend = new("[[backends]]", ConfigSchema.Backend.Keys);

    private static readonly SchemaTable Root = new("the file", new SchemaKey(Key, KeyForm.Tables, Backend));

    private static readonly DiscoveredBackend Defaults = new(default(Endpoint));

    /// <summary>The set of a text without a mistake; else unknown, with the first mistake and its line.</summary>
    /// <param name="version">What the set is called in logs and listings.</param>
    public static SourceReading Read(ReadOnlySpan<byte> utf8, string version)
    {
        TomlDocument document = TomlReader.Read(utf8);
        ErrorCollector errors = new(document.Errors);
        TableBinder root = new(Root, document.Root, "", errors);
        ImmutableArray<DiscoveredBackend> backends = IsEmptyArray(document.Root) ? [] : [.. root.Tables(Key).Select(Bind)];
        ImmutableArray<ConfigError> found = errors.InOrder();
        return found.IsEmpty ? new SourceReading.Complete(backends, version) : new SourceReading.Unknown(Describe(found));
    }

    // The set without backends may be written out, unlike that of a configuration.
    private static bool IsEmptyArray(TomlTable root) => root.TryGet(Key, out TomlEntry? entry) && entry.Value is TomlArray { Items.IsEmpty: true };

    private static DiscoveredBackend Bind(TableBinder table)
    {
        Endpoint address = default;
        if (table.TryRequire("address", "an IP address with a port, like \"10.0.0.1:443\"", out Setting setting) && setting.TryEndpoint(1, out address)
            && address.Address.IsAny)
        {
            setting.Reject($"\"{address}\" is the wildcard address and cannot be connected to");
        }

        return new DiscoveredBackend(address)
        {
            Name = table.TryGet("name", out setting) && setting.TryName(out string name) ? name : Defaults.Name,
            Weight = table.Integer("weight", Defaults.Weight, 0, 1_000),
            Backup = table.Boolean("backup", Defaults.Backup),
            MaxConnections = table.Integer("max_connections", Defaults.MaxConnections, 0, int.MaxValue),
            PublicUrl = BackendUrl.Bind(table),
        };
    }

    private static string Describe(ImmutableArray<ConfigError> errors)
    {
        ConfigError first = errors[0];
        string more = errors.Length == 1 ? "" : string.Create(CultureInfo.InvariantCulture, $" (and {errors.Length - 1} more)");
        string key = first.Key.Length == 0 ? "" : first.Key + ": ";
        return $"{first.Position}: {key}{first.Message}{more}";
    }
}
