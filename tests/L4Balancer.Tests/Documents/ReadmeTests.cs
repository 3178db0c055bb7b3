using System.Text;
using System.Text.RegularExpressions;
using L4Balancer.Core.Config;

namespace L4Balancer.Tests.Documents;

/// <summary>What a user reads first must be true.</summary>
internal sealed partial class ReadmeTests
{
    private static string Text => File.ReadAllText(Repository.PathOf("README.md"));

    [Test]
    public void Its_configuration_is_one()
    {
        string toml = new Document("README.md").Blocks("toml").Single();
        ConfigResult result = ConfigReader.Read(Encoding.UTF8.GetBytes(toml));
        Assert.That(result.Errors, Is.Empty);
        Assert.That(result.Config!.Pools.Single().Backends.Select(b => b.Weight), Is.EqualTo([100, 50]));
    }

    [Test]
    public void Every_target_that_it_names_is_in_the_Makefile()
    {
        string makefile = File.ReadAllText(Repository.PathOf("Makefile"));
        string[] targets = [.. Target().Matches(Text).Select(m => m.Groups[1].Value).Distinct()];
        Assert.That(targets, Does.Contain("run").And.Contain("test").And.Contain("install"));
        Assert.That(targets.Where(t => !makefile.Contains($"\n{t}:", StringComparison.Ordinal)), Is.Empty);
    }

    [GeneratedRegex(@"\bmake ([a-z-]+)")]
    private static partial Regex Target();
}
