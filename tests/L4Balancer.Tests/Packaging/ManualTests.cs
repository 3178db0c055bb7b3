using L4Balancer.CommandLine;

namespace L4Balancer.Tests.Packaging;

/// <summary>The manual page and the completions against the program.</summary>
internal sealed class ManualTests
{
    private static readonly string Page = File.ReadAllText(Repository.PathOf("packaging", "man", "l4balancer.8"));

    [Test]
    public async Task The_manual_names_every_command_and_option()
    {
        string[] commands = await OffersAsync("l4balancer ");
        Assert.That(commands, Does.Contain("run").And.Contain("drain"));
        foreach (string command in commands.Where(c => char.IsAsciiLetter(c[0])))
        {
            string entry = Page.Split(".It Cm ").SingleOrDefault(e => e.StartsWith(command + ' ', StringComparison.Ordinal) || e.StartsWith(command + '\n', StringComparison.Ordinal)) ?? "";
            Assert.That(entry, Is.Not.Empty, command);
            foreach (string option in (await OffersAsync($"l4balancer {command} --")).Except(["--admin", "--token-file", "--timeout", "--help"]))
            {
                Assert.That(entry, Does.Contain($"Fl -{option[2..]}"), command);
            }
        }
    }

    [TestCase("l4balancer dra", "drain")]
    [TestCase("l4balancer drain chat/ws1 --w", "--within")]
    [TestCase("l4balancer demo --p", "--port")]
    [TestCase("l4balancer help dra", "drain")]
    [TestCase("l4balancer connections --sort ", "idle")]
    [TestCase("l4balancer connections --sort=i", "idle")]
    [TestCase("l4balancer --timeout 1s dra", "drain")]
    public async Task A_shell_is_offered_what_may_come_next(string line, string offer) =>
        Assert.That(await OffersAsync(line), Does.Contain(offer));

    [Test]
    public async Task Options_are_offered_to_a_dash_or_where_nothing_else_may_come_and_once()
    {
        Assert.That(await OffersAsync("l4balancer "), Has.None.StartsWith("-"));
        Assert.That(await OffersAsync("l4balancer -"), Is.EqualTo(["--admin", "--help", "--timeout", "--token-file", "--version"]));
        Assert.That(await OffersAsync("l4balancer status "), Does.Contain("--json"));
        Assert.That(await OffersAsync("l4balancer status --json "), Does.Not.Contain("--json").And.Contain("--timeout"));
        Assert.That(await OffersAsync("l4balancer check --"), Does.Contain("--strict").And.Not.Contain("--admin"));
        Assert.That(await OffersAsync("l4balancer connections --sort x --sort="), Is.EqualTo(["age", "bytes", "idle"]));
        Assert.That(await OffersAsync("l4balancer status --json="), Has.None.StartsWith("-"));
        Assert.That(await OffersAsync("l4bal"), Is.Empty);
    }

    [Test]
    public async Task A_shell_that_shows_it_is_told_what_an_offer_is()
    {
        Assert.That(await OffersAsync("l4balancer dr", "describe"), Has.One.Match("^drain\tSends no new connections to a backend"));
        Assert.That(await OffersAsync("l4balancer drain a/b --wi", "describe"), Has.One.Match("^--within\tCloses "));
    }

    private static async Task<string[]> OffersAsync(string line, string directive = "suggest")
    {
        using var output = new StringWriter();
        int code = await CommandLineRoot.InvokeAsync([$"[{directive}:{line.Length}]", line], output, TextWriter.Null);
        Assert.That(code, Is.Zero, line);
        return output.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }
}
