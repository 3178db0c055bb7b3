using System.Text;
using L4Balancer.Core.Config;

namespace L4Balancer.Core.Tests.Config;

/// <summary><c>include</c>: several texts as one configuration.</summary>
internal sealed class IncludeTests
{
    private const string Main = """
        include = ["conf.d/*.toml"]
        [balancer]
        workers = 2
        [[listeners]]
        name = "wss"
        bind = ["127.0.0.1:8443"]
        pool = "chat"
        """;

    private const string Chat = """
        [balancer]
        watch = true
        [[pools]]
        name = "chat"
        backends = [{ name = "ws1", address = "10.0.0.1:80" }]
        """;

    private const string More = """
        [[listeners]]
        name = "more"
        bind = ["127.0.0.1:8444"]
        pool = "chat"
        """;

    [Test]
    public void Tables_are_joined()
    {
        BalancerConfig config = Read(Main, ("a.toml", Chat), ("b.toml", More)).Config!;

        Assert.That((config.Balancer.Workers, config.Balancer.Watch), Is.EqualTo((2, true)));
        Assert.That(config.Listeners.Select(l => l.Name), Is.EqualTo(["wss", "more"]));
        Assert.That(config.Pools, Has.Length.EqualTo(1));
    }

    [Test]
    public void A_mistake_says_in_which_file_it_stands()
    {
        string[] errors = Errors(Main, ("a.toml", Chat + "\nidle_timeout = \"soon\""), ("b.toml", More.Replace("more\"", "wss\"", StringComparison.Ordinal)), ("c.toml", "= 1"));

        Assert.That(errors, Has.Length.EqualTo(3));
        Assert.That(errors[0], Does.StartWith("a.toml:6:16: error: pools[0].idle_timeout: "));
        Assert.That(errors[1], Does.StartWith("b.toml:2:8: error: listeners[1].name: ").And.Contain("main.toml:5:8"));
        Assert.That(errors[2], Does.StartWith("c.toml:1:1: error: syntax: "));
    }

    [TestCase("[balancer]\nworkers = 3", "x.toml:2:1: error: balancer.workers: stands at main.toml:3:1 already; leave one of them out")]
    [TestCase("include = ['y.toml']", "x.toml:1:1: error: include: only the main file includes others; name the file there")]
    [TestCase("listeners = 3", "x.toml:1:1: error: listeners: stands at main.toml:4:3 already; leave one of them out")]
    [TestCase("[balancr]\nworkers = 3", "x.toml:1:2: error: balancr: unknown key in the file; the nearest known key is \"balancer\"")]
    public void What_cannot_be_joined_is_an_error(string text, string error) =>
        Assert.That(Errors(Main, ("a.toml", Chat), ("x.toml", text)), Is.EqualTo([error]));

    [TestCase("include = 'a'", "1:11 include: must be an array of file names or patterns, like [\"conf.d/*.toml\"], not a string")]
    [TestCase("include = [3]", "main.toml:1:12 include[0]: must be an array of file names or patterns, like [\"conf.d/*.toml\"], not an integer")]
    [TestCase("include = ['']", "main.toml:1:12 include[0]: is empty; needed: an array of file names or patterns, like [\"conf.d/*.toml\"]")]
    public void A_pattern_is_a_string(string line, string error) => Assert.That(
        Read($"{line}\n{Main[(Main.IndexOf('\n', StringComparison.Ordinal) + 1)..]}\n{Chat[(Chat.IndexOf("[[", StringComparison.Ordinal))..]}").Errors
            .Select(e => $"{e.Position} {e.Key}: {e.Message}"),
        Is.EqualTo([error]));

    [Test]
    public void A_file_that_cannot_be_read_is_the_only_mistake()
    {
        ConfigInputs inputs = new() { Path = "main.toml", Include = static _ => new IncludedFiles([], "no such file") };
        ConfigResult result = ConfigReader.Read(Encoding.UTF8.GetBytes(Main), inputs);

        Assert.That(result.Errors.Select(e => e.Format("main.toml")), Is.EqualTo(["main.toml:1:12: error: include[0]: no such file"]));
        Assert.That(result.Includes, Is.EqualTo(["conf.d/*.toml"]));
    }

    [Test]
    public void A_pool_that_nobody_uses_and_a_range_with_spare_bits_are_warnings()
    {
        string text = new ConfigText().With("[[listeners]]", "allow", "[\"10.0.0.1/8\", \"10.0.0.0/8\", \"unix\", \"::1\"]").ToString()
            + "[[pools]]\nname = \"spare\"\nbackends = [{ name = \"b\", address = \"10.0.0.2:80\" }]\n";
        ConfigResult result = ConfigText.Read(text);

        Assert.That(result.Errors, Is.Empty);
        Assert.That(
            result.Warnings.Select(w => $"{w.Key}: {w.Message}"),
            Is.EqualTo(["listeners[0].allow[0]: \"10.0.0.1/8\" has bits set beyond its prefix; it means \"10.0.0.0/8\"", "pools[1]: no listener uses pool \"spare\""]));
    }

    private static ConfigResult Read(string main, params (string Path, string Text)[] files) => ConfigReader.Read(Encoding.UTF8.GetBytes(main), new ConfigInputs
    {
        Path = "main.toml",
        Include = _ => new IncludedFiles([.. files.Select(f => new IncludedFile(f.Path, Encoding.UTF8.GetBytes(f.Text)))], null),
    });

    private static string[] Errors(string main, params (string Path, string Text)[] files) =>
        [.. Read(main, files).Errors.Select(e => e.Format("main.toml"))];
}
