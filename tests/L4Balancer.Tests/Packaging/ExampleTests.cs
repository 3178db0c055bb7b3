using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using L4Balancer.Core.Config;

namespace L4Balancer.Tests.Packaging;

/// <summary>What can be seen of packaging/examples without running it; the fixtures of Fronting and ImageTests run each of them.</summary>
internal sealed partial class ExampleTests
{
    private static readonly string Folder = Repository.PathOf("packaging", "examples");

    public static IEnumerable<string> Examples { get; } = Directory.GetDirectories(Folder)
        .Where(d => File.Exists(Path.Combine(d, "balancer.toml"))).Select(d => Path.GetFileName(d)).Order(StringComparer.Ordinal);

    [TestCaseSource(nameof(Examples))]
    public void Its_configuration_is_accepted(string example)
    {
        ConfigResult result = ConfigReader.Read(File.ReadAllBytes(Path.Combine(Folder, example, "balancer.toml")));
        Assert.That(result.Errors, Is.Empty);
    }

    [TestCaseSource(nameof(Examples))]
    public void Its_README_names_each_file(string example)
    {
        string readme = File.ReadAllText(Path.Combine(Folder, example, "README.md"));
        IEnumerable<string> files = Directory.GetFiles(Path.Combine(Folder, example)).Select(f => Path.GetFileName(f));
        Assert.That(files.Where(f => f != "README.md" && !readme.Contains(f, StringComparison.Ordinal)), Is.Empty);
    }

    [Test]
    public void A_drain_lasts_longer_than_what_watches_it_needs()
    {
        const string Vrrp = "keepalived-lb1.conf";
        int keepalived = Number("keepalived", Vrrp, @"interval (\d+)") * Number("keepalived", Vrrp, @"fall (\d+)");
        Assert.That(Read("keepalived").Balancer.ShutdownDelay, Is.GreaterThan(TimeSpan.FromSeconds(keepalived + 2)));
        int bird = Number("bird", "announce", @"fall=(\d+)");
        Assert.That(Read("bird").Balancer.ShutdownDelay, Is.GreaterThan(TimeSpan.FromSeconds(bird + 2)));
    }

    [Test]
    public void The_compose_file_names_the_image_that_is_built_and_files_that_are_there()
    {
        string compose = File.ReadAllText(Path.Combine(Folder, "compose", "compose.yaml"));
        string properties = File.ReadAllText(Repository.PathOf("Directory.Build.props"));
        string suffix = VersionSuffix().Match(properties).Groups[1].Value;
        string version = VersionPrefix().Match(properties).Groups[1].Value + (suffix.Length == 0 ? "" : $"-{suffix}");
        Assert.That(compose, Does.Contain($"image: l4balancer:${{L4BALANCER_VERSION:-{version}}}\n"));
        string[] mounted = [.. Mounted().Matches(compose).Select(m => m.Groups[1].Value)];
        Assert.That(mounted, Does.Contain("balancer.toml").And.Contain("echo.py"));
        Assert.That(mounted.Where(m => !File.Exists(Path.Combine(Folder, "compose", m))), Is.Empty);
        BalancerConfig config = Read("compose");
        var grace = TimeSpan.FromSeconds(Number("compose", "compose.yaml", @"stop_grace_period: (\d+)s"));
        Assert.That(grace, Is.GreaterThan(config.Balancer.ShutdownDelay + config.Balancer.ShutdownGrace));
        foreach (BackendSettings backend in config.Pools.Single().Backends)
        {
            Assert.That(compose, Does.Contain($"\n  {backend.Address.Split(':')[0]}: "), "a service");
        }
    }

    private static BalancerConfig Read(string example) =>
        ConfigReader.Read(Encoding.UTF8.GetBytes(File.ReadAllText(Path.Combine(Folder, example, "balancer.toml")))).Config!;

    private static int Number(string example, string file, string pattern) => int.Parse(
        Regex.Match(File.ReadAllText(Path.Combine(Folder, example, file)), pattern).Groups[1].Value, CultureInfo.InvariantCulture);

    [GeneratedRegex("<VersionPrefix>(.*)</VersionPrefix>")]
    private static partial Regex VersionPrefix();

    [GeneratedRegex("<VersionSuffix>(.*)</VersionSuffix>")]
    private static partial Regex VersionSuffix();

    [GeneratedRegex(@"- \./([^:]+):")]
    private static partial Regex Mounted();
}
