using System.Collections.Immutable;
using L4Balancer.Core.Config;
using L4Balancer.Core.Toml;

namespace L4Balancer.Core.Tests.Config;

/// <summary>The schema against the contract and against what the binding reads.</summary>
internal sealed class ConfigSchemaTests
{
    private static readonly TomlPosition Marked = new(7, 7);

    /// <summary>Every key of every table as the way to it from the root.</summary>
    public static IEnumerable<ImmutableArray<SchemaKey>> Paths() => Paths(ConfigSchema.Root, []);

    private static IEnumerable<TestCaseData> WorkingPaths() =>
        Paths().Where(p => p[^1].Form != KeyForm.NotYet).Select(p => new TestCaseData(p).SetArgDisplayNames(Dotted(p)));

    private static IEnumerable<TestCaseData> NotYetPaths() =>
        Paths().Where(p => p[^1].Form == KeyForm.NotYet).Select(p => new TestCaseData(p).SetArgDisplayNames(Dotted(p)));

    [TestCaseSource(nameof(WorkingPaths))]
    public void A_key_that_works_is_read(ImmutableArray<SchemaKey> path)
    {
        ImmutableArray<ConfigError> errors = ReadWithDateAt(path);

        // No key takes a date: whichever is read complains about this one.
        ConfigError error = errors.Single(e => e.Position == Marked);
        Assert.That(error.Message, Does.StartWith("must be ").Or.EndsWith("is not a duration"));
        Assert.That(error.Key, Is.EqualTo(Dotted(path)));
    }

    [TestCaseSource(nameof(NotYetPaths))]
    public void A_key_that_is_not_built_yet_says_so(ImmutableArray<SchemaKey> path)
    {
        ConfigError error = ReadWithDateAt(path).Single(e => e.Key == Dotted(path));

        Assert.That(error.Message, Does.StartWith("not supported yet"));
    }

    [Test]
    public void The_contract_s_own_example_has_no_unknown_key_and_all_that_are_not_built_yet()
    {
        ImmutableArray<ConfigError> errors = ConfigText.Read(ContractExample.Text).Errors;

        Assert.That(errors.Where(e => !e.Message.StartsWith("not supported yet", StringComparison.Ordinal)), Is.Empty);
        Assert.That(
            errors.Select(e => e.Key),
            Is.EquivalentTo(Paths().Where(p => p[^1].Form == KeyForm.NotYet).Select(Dotted)));
    }

    [Test]
    public void The_contract_s_own_example_without_what_is_not_built_yet_gives_the_defaults()
    {
        HashSet<int> lines = [.. ConfigText.Read(ContractExample.Text).Errors.Select(e => e.Position.Line)];
        string[] text = ContractExample.Text.Split('\n');
        bool dropped = false;
        for (int i = 0; i < text.Length; i++)
        {
            bool header = text[i].TrimStart().StartsWith('[');
            dropped = header ? lines.Contains(i + 1) : dropped;
            text[i] = dropped || lines.Contains(i + 1) ? "" : text[i];
        }

        BalancerConfig config = ConfigText.Load(string.Join('\n', text));

        BalancerConfig expected = new ConfigText()
            .With("[metrics]")
            .With("[endpoint]")
            .With("[dns]")
            .With("[[listeners]]", "bind", "[\"0.0.0.0:443\", \"[::]:443\"]")
            .WithRoute("source", "[\"192.0.2.0/24\"]")
            .WithSource("dns")
            .Load();
        expected = expected with { Balancer = expected.Balancer with { LogFormat = LogFormat.Text } };
        Assert.That(ConfigText.Describe(config), Is.EqualTo(ConfigText.Describe(expected)));
    }

    [TestCase("[balancer]", "wrokers", "workers")]
    [TestCase("[balancer]", "log-level", "log_level")]
    [TestCase("[balancer]", "shutdowndelay", "shutdown_delay")]
    [TestCase("[metrics]", "lisen", "listen")]
    [TestCase("[[listeners]]", "binds", "bind")]
    [TestCase("keepalive", "cnt", "count")]
    [TestCase("[[pools]]", "source_ip", "source_ips")]
    [TestCase("[pools.health]", "raise", "rise")]
    [TestCase("[[pools.backends]]", "wieght", "weight")]
    [TestCase("[ballancer]", "workers", "balancer")]
    [TestCase("[[pool]]", "name", "pools")]
    [TestCase("[[pools.backend]]", "name", "backends")]
    public void An_unknown_key_is_told_with_the_nearest_of_its_table(string header, string key, string nearest)
    {
        string[] errors = new ConfigText().With(header, key, "1").Errors();

        Assert.That(errors, Has.Length.EqualTo(1));
        Assert.That(errors[0], Does.Contain(": unknown key in ").And.EndsWith($"; the nearest known key is \"{nearest}\""));
    }

    [TestCase("[[pools]]", "interval", "; it is a key of keepalive and [pools.health] and [pools.discovery]")]
    [TestCase("[[listeners]]", "balance", "; it is a key of [[pools]]")]
    [TestCase("[[pools]]", "timeout_connect", "; the nearest known key is \"connect_timeout\"")]
    [TestCase("[[pools]]", "tls", "")]
    [TestCase("[[pools]]", "server", "")]
    [TestCase("[[pools.backends]]", "maxconn", "; its name here is \"max_connections\"")]
    [TestCase("[[pools]]", "slowstart", "; its name here is \"slow_start\"")]
    [TestCase("[[pools]]", "maxconn", "")]
    public void Advice_is_given_only_where_it_helps(string header, string key, string advice) =>
        Assert.That(new ConfigText().With(header, key, "1").Errors(), Has.Length.EqualTo(1).And.Some.EndsWith($"{key}: unknown key in {header}{advice}"));

    [Test]
    public void An_unknown_table_is_told_at_its_header() =>
        Assert.That(
            ConfigText.Errors("[blancer]\nworkers = 1\n" + new ConfigText()),
            Is.EqualTo(["1:2 blancer: unknown key in the file; the nearest known key is \"balancer\""]));

    [Test]
    public void A_misspelt_required_key_is_one_mistake_not_two() =>
        Assert.That(
            new ConfigText()
                .Without("[[pools.backends]]", "address")
                .With("[[pools.backends]]", "adress", "\"10.0.0.1:80\"")
                .Errors()
                .Single(),
            Does.Contain("pools[0].backends[0].adress: unknown key"));

    private static ImmutableArray<ConfigError> ReadWithDateAt(ImmutableArray<SchemaKey> path)
    {
        TomlNode node = new TomlDateTime(Marked, "2026-11-20");
        for (int i = path.Length - 1; i >= 0; i--)
        {
            TomlTable table = new(new TomlPosition(1, 1), [new TomlEntry(path[i].Name, new TomlPosition(1, 1), node)]);
            bool many = i > 0 && path[i - 1].Form == KeyForm.Tables;
            node = many ? new TomlArray(table.Position, [table]) : table;
        }

        return ConfigReader.Read(new TomlDocument((TomlTable)node, [])).Errors;
    }

    private static IEnumerable<ImmutableArray<SchemaKey>> Paths(SchemaTable table, ImmutableArray<SchemaKey> above)
    {
        foreach (SchemaKey key in table.Keys)
        {
            ImmutableArray<SchemaKey> path = above.Add(key);
            yield return path;
            foreach (ImmutableArray<SchemaKey> inner in key.Table is null ? [] : Paths(key.Table, path))
            {
                yield return inner;
            }
        }
    }

    private static string Dotted(ImmutableArray<SchemaKey> path) =>
        string.Join('.', path.Select((k, i) => k.Form == KeyForm.Tables && i < path.Length - 1 ? k.Name + "[0]" : k.Name));
}
