using System.Text;
using System.Text.RegularExpressions;
using L4Balancer.Core.Config;
using L4Balancer.Core.Toml;

namespace L4Balancer.Core.Tests.Config;

/// <summary>docs/configuration.md and balancer.toml.example against the schema and the reader.</summary>
internal sealed partial class DocumentationTests
{
    private const string NotYetHeading = "Not supported yet";

    private sealed record Row(string Header, string Key, string Default, string Example);

    private static readonly SchemaTable[] Tables =
    [
        ConfigSchema.Root, ConfigSchema.Balancer, ConfigSchema.Admin, ConfigSchema.Metrics, ConfigSchema.Fleet, ConfigSchema.Dns, ConfigSchema.Listener, ConfigSchema.Route,
        ConfigSchema.Keepalive,
        ConfigSchema.Pool, ConfigSchema.Sticky, ConfigSchema.Health, ConfigSchema.Discovery, ConfigSchema.Backend,
    ];

    [Test]
    public void Every_key_that_works_is_documented_under_its_table_in_the_schema_s_order()
    {
        foreach (SchemaTable table in Tables.Where(t => t != ConfigSchema.Root))
        {
            string[] working = [.. table.Keys.Where(k => k.Form != KeyForm.NotYet).Select(k => k.Name)];

            Assert.That(Rows().Where(r => r.Header == table.Header).Select(r => r.Key), Is.EqualTo(working), table.Header);
        }
    }

    [Test]
    public void Every_key_that_is_not_built_yet_is_listed()
    {
        Dictionary<string, string> listed = Lines()
            .Where(l => l.Heading == NotYetHeading)
            .Select(l => NotYetRow().Match(l.Text))
            .Where(m => m.Success)
            .ToDictionary(m => m.Groups["table"].Value.Trim('`'), m => m.Groups["keys"].Value);

        foreach (SchemaTable table in Tables)
        {
            string expected = string.Join(", ", table.Keys.Where(k => k.Form == KeyForm.NotYet).Select(k => $"`{k.Name}`"));
            Assert.That(listed.GetValueOrDefault(table.Header, ""), Is.EqualTo(expected), table.Header);
        }
    }

    [Test]
    public void Every_documented_default_is_what_a_file_without_the_key_gets()
    {
        List<string> without = [];
        foreach (Row row in Rows())
        {
            if (!row.Default.StartsWith('`'))
            {
                without.Add($"{row.Header} {row.Key}");
                continue;
            }

            string value = row.Default.Trim('`');
            if (row.Header == ConfigSchema.Discovery.Header && row.Key == "file")
            {
                // The source of the text that the other keys are compared with.
                continue;
            }

            string given = ConfigText.Describe(Bare(row.Header).With(row.Header, row.Key, value).Load());
            string absent = ConfigText.Describe(Bare(row.Header).Load());
            Assert.That(given, Is.EqualTo(absent), $"{row.Header} {row.Key}");
        }

        Assert.That(without, Is.EqualTo([
            "[balancer] log_format", "[fleet] name", "[fleet] etcd", "[endpoint] listen", "[dns] listen", "[dns] zone",
            "[[listeners]] name", "[[listeners]] bind", "[[listeners]] pool", "[[listeners]] routes",
            "[[listeners.routes]] sni", "[[listeners.routes]] alpn", "[[listeners.routes]] host", "[[listeners.routes]] path",
            "[[listeners.routes]] source", "[[listeners.routes]] pool", "[[pools]] name",
            "[[pools]] discovery", "[[pools]] backends", "[[pools.backends]] name", "[[pools.backends]] address",
        ]));
    }

    [Test]
    public void Every_documented_example_is_accepted()
    {
        foreach (Row row in Rows())
        {
            string example = row.Example.Trim('`');
            ConfigText text = row.Header == "[[listeners.routes]]" ? new ConfigText().WithRoute(row.Key, example)
                : row.Header == ConfigSchema.Discovery.Header ? new ConfigText().WithDiscovery(row.Key, example)
                : row is { Header: "[[listeners]]", Key: "mode" or "interface" or "forward" or "flows" } ? new ConfigText().WithPacket(row.Key, example)
                : row is { Header: "[[listeners]]", Key: "second_chance" }
                    ? new ConfigText().WithPacket("forward", "\"ipip\"").With("[[listeners]]", row.Key, example)
                : row.Header == ConfigSchema.Endpoint.Header ? new ConfigText().WithEndpoint(row.Key, example)
                : new ConfigText().With(row.Header, row.Key, example);
            Assert.That(text.Errors(), Is.Empty, $"{row.Header} {row.Key}");
        }
    }

    [Test]
    public void The_example_file_is_accepted() => ConfigText.Load(ExampleFile());

    [Test]
    public void The_example_file_s_commented_settings_are_the_defaults()
    {
        BalancerConfig asGiven = ConfigText.Load(ExampleFile());
        BalancerConfig uncommented = ConfigText.Load(Uncommented(OptionalTable().Replace(ExampleFile(), "")));

        // The one default that is not a value: it depends on who starts the daemon.
        asGiven = asGiven with { Balancer = asGiven.Balancer with { LogFormat = LogFormat.Text } };
        Assert.That(ConfigText.Describe(uncommented), Is.EqualTo(ConfigText.Describe(asGiven)));
    }

    [Test]
    public void The_example_file_names_every_key_that_works()
    {
        TomlDocument document = TomlReader.Read(Encoding.UTF8.GetBytes(Uncommented()));

        AssertNamed(document.Root, ConfigSchema.Root);
    }

    private static void AssertNamed(TomlTable table, SchemaTable schema)
    {
        // A pool with every source would have none: docs/discovery.md shows them.
        foreach (SchemaKey key in schema.Keys.Where(k => k.Form != KeyForm.NotYet && k.Table != ConfigSchema.Discovery))
        {
            Assert.That(table.TryGet(key.Name, out TomlEntry? entry), Is.True, $"{schema.Header} {key.Name}");
            TomlNode first = entry!.Value is TomlArray array && key.Form == KeyForm.Tables ? array.Items[0] : entry.Value;
            if (key.Table is not null)
            {
                AssertNamed((TomlTable)first, key.Table);
            }
        }
    }

    private static ConfigText Bare(string header) => header == ConfigSchema.Discovery.Header ? new ConfigText().WithSource("file")
        : header is "[metrics]" or "[fleet]" or "[dns]" or "[endpoint]" ? new ConfigText().With(header) : new ConfigText();

    private static string ExampleFile() => RepositoryFile.Read("balancer.toml.example");

    private static string Uncommented() => Uncommented(CommentedHeader().Replace(ExampleFile(), "$1"));

    private static string Uncommented(string example) => CommentedSetting().Replace(example, "$1$2");

    private static IEnumerable<Row> Rows() =>
        from line in Lines()
        where line.Heading != NotYetHeading && line.Text.StartsWith("| `", StringComparison.Ordinal)
        let states = line.Text.Split(" | ")
        select new Row(line.Heading, states[0].Trim('|', ' ', '`'), states[1].Trim(), states[3].Trim());

    private static IEnumerable<(string Heading, string Text)> Lines()
    {
        string heading = "";
        foreach (string line in RepositoryFile.Read("docs/configuration.md").Split('\n'))
        {
            heading = line.StartsWith("## ", StringComparison.Ordinal) ? line[3..].Trim('`', ' ') : heading;
            yield return (heading, line);
        }
    }

    [GeneratedRegex(@"^(\s*)#([a-z_]+\s*=)", RegexOptions.Multiline | RegexOptions.CultureInvariant)]
    private static partial Regex CommentedSetting();

    [GeneratedRegex(@"^#(\[[a-z]+\])", RegexOptions.Multiline | RegexOptions.CultureInvariant)]
    private static partial Regex CommentedHeader();

    // A table that changes what the daemon does by being there: to its end, an empty line.
    [GeneratedRegex(@"^#\[[a-z]+\].*?\n\n", RegexOptions.Singleline | RegexOptions.Multiline | RegexOptions.CultureInvariant)]
    private static partial Regex OptionalTable();

    [GeneratedRegex(@"^\| (?<table>the file|`[^`]+`) \| (?<keys>`.+`) \|$", RegexOptions.CultureInvariant)]
    private static partial Regex NotYetRow();
}
