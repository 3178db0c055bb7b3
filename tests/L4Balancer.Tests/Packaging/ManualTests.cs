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
    public async Task A_shell_is_offered_what_may_come_next(string line, string offer) =>
        Assert.That(await OffersAsync(line), Does.Contain(offer));

    private static async Task<string[]> OffersAsync(string line)
    {
        using var output = new StringWriter();
        int code = await CommandLineRoot.InvokeAsync([$"[suggest:{line.Length}]", line], output, TextWriter.Null);
        Assert.That(code, Is.Zero, line);
        return output.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }
}
