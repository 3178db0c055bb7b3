using System.Text;
using L4Balancer.CommandLine;
using L4Balancer.Core.Config;

namespace L4Balancer.Tests.Documents;

/// <summary>What the pages say by the way: configurations, links, and names of commands.</summary>
internal sealed class DocumentTests
{
    [Test]
    public void Every_configuration_is_accepted([ValueSource(typeof(Document), nameof(Document.Paths))] string path)
    {
        foreach (string fragment in new Document(path).Blocks("toml"))
        {
            ConfigResult result = ConfigReader.Read(Encoding.UTF8.GetBytes(Whole(fragment)));
            Assert.That(result.Errors, Is.Empty, fragment);
        }
    }

    [Test]
    public void Every_file_that_is_linked_is_there([ValueSource(typeof(Document), nameof(Document.Paths))] string path) =>
        Assert.That(new Document(path).Links.Where(l => !Path.Exists(Repository.PathOf(l))), Is.Empty);

    [Test]
    public async Task Every_command_that_is_named_is_one([ValueSource(typeof(Document), nameof(Document.Paths))] string path)
    {
        using var offered = new StringWriter();
        Assert.That(await CommandLineRoot.InvokeAsync(["[suggest:11]", "l4balancer "], offered, TextWriter.Null), Is.Zero);
        Assert.That(new Document(path).Commands.Except(offered.ToString().Split('\n')), Is.Empty);
    }

    [Test]
    public void The_pages_have_configurations_links_and_commands()
    {
        Document[] all = [.. Document.Paths.Select(p => new Document(p))];
        Assert.That(all.SelectMany(d => d.Blocks("toml")).Count(), Is.GreaterThan(4));
        Assert.That(all.SelectMany(d => d.Links).Count(), Is.GreaterThan(20));
        Assert.That(all.SelectMany(d => d.Commands), Does.Contain("rebalance").And.Contain("check"));
    }

    // A page shows the table that it speaks of; a file needs a listener and a backend besides.
    private static string Whole(string fragment)
    {
        const string Backends = "backends = [{ name = \"b1\", address = \"192.0.2.1:1\" }]\n";
        string pool = fragment.Contains("[[pools]]", StringComparison.Ordinal) ? fragment : $"{fragment}\n[[pools]]\nname = \"chat\"\n";
        string served = pool.Contains("backends", StringComparison.Ordinal) || pool.Contains("[pools.discovery]", StringComparison.Ordinal)
            ? pool : pool + Backends;
        string name = served[served.LastIndexOf("[[pools]]", StringComparison.Ordinal)..].Split('"')[1];
        return served.Contains("[[listeners]]", StringComparison.Ordinal)
            ? served : $"{served}\n[[listeners]]\nname = \"l\"\nbind = [\"127.0.0.1:1\"]\npool = \"{name}\"\n";
    }
}
