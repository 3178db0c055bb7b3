using L4Balancer.CommandLine;
using L4Balancer.Tests.CommandLine;

namespace L4Balancer.Tests.Admin;

/// <summary>What a living daemon refuses, over its socket and over TCP without its token: lines in words of the commands.</summary>
[Category(DaemonProcess.Category)]
internal sealed class RefusedCommandTests
{
    private static readonly string[] Lines =
    [
        "drain no/one", "drain chat/ws9", "drain chat/ws9 --rate 5", "ready no/one", "maint chat/ws9", "weight chat/ws9 5", "rebalance nobody",
        "rebalance nobody --stop", "rebalance chat --stop", "close 99999999", "close --backend chat/ws9", "close --listener nobody",
        "close --source x", "connections --backend chat/ws9", "connections --source 1.2.3.4/99", "backends nobody", "endpoint --pool nobody",
        "endpoint --pool chat", "locate --listener nobody --source 1.2.3.4:5", "locate --listener wss --source 1.2.3.4:5 --sni a.example",
        "locate --listener wss --source 1.2.3.4:5 --key x", "fleet", "upgrade --binary /nonexistent/program",
    ];

    private static readonly string[] Changes =
        ["drain chat/ws1", "ready chat/ws1", "maint chat/ws1", "weight chat/ws1 5", "rebalance chat", "close 1", "close --backend chat/ws1", "reload", "upgrade"];

    [Test]
    public async Task No_refusal_names_a_type_or_speaks_of_the_API()
    {
        List<string> wrong = [];
        foreach ((string line, string address) in Lines.Select(static l => (l, AdminScene.SocketPath)).Concat(Changes.Select(static l => (l, $"{AdminScene.Tcp}"))))
        {
            using var output = new StringWriter { NewLine = "\n" };
            using var errors = new StringWriter { NewLine = "\n" };
            int code = await CommandLineRoot.InvokeAsync([.. line.Split(' '), "--admin", address, .. DaemonProcess.Patiently], output, errors);
            string[] said = errors.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries);
            if (code is not (1 or 2) || said.Length == 0 || !said.All(IsOfCommands) || output.ToString().Length > 0)
            {
                wrong.Add($"{line}: {code} {output}{errors}");
            }
        }

        Assert.That(wrong, Is.Empty);
    }

    private static bool IsOfCommands(string line) =>
        MessageTests.IsPlain(line) && line.StartsWith("l4balancer: ", StringComparison.Ordinal)
        && !line.Contains("/v1/", StringComparison.Ordinal) && !line.Contains("Authorization", StringComparison.Ordinal);
}
