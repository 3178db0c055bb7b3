using System.Diagnostics;

namespace L4Balancer.Tests.Documents;

/// <summary>docs/balancer.schema.json as Taplo reads it, the TOML language server of editors.</summary>
[CancelAfter(120_000)]
internal sealed class SchemaLintTests
{
    private const string Good = """
        [balancer]
        workers = 4
        shutdown_grace = "${GRACE:-1m30s}"
        [[listeners]]
        name = "wss"
        bind = ["0.0.0.0:443"]
        pool = "chat"
        [[pools]]
        name = "chat"
        source_net = { v4 = 24 }
          [[pools.backends]]
          name = "ws1"
          address = "10.0.1.21:8443"
        """;

    private static string Taplo => Repository.PathOf("tests", "L4Balancer.Tests", "npm", "node_modules", ".bin", "taplo");

    [Test]
    public async Task Good_files_pass_and_mistakes_are_found(CancellationToken cancel)
    {
        if (!File.Exists(Taplo))
        {
            Assert.Ignore("the npm package @taplo/cli is not installed: make test-deps");
        }

        string example = Repository.PathOf("balancer.toml.example");
        string copy = DaemonProcess.ConfigFileWith(await File.ReadAllTextAsync(example, cancel));
        Assert.That(await LintAsync([DaemonProcess.ConfigFileWith(Good), copy], cancel), Is.EqualTo((0, "")));
        (string From, string To, string Fault)[] mistakes =
        [
            ("workers = 4", "workers = 5000", "5000 is greater than the maximum of 1024"),
            ("workers = 4", "worker = 4", "('worker' was unexpected)"),
            ("1m30s}", "1m30s} \"\nengine = \"iocp", "\"iocp\" is not valid"),
            ("\"${GRACE:-1m30s}\"", "30", "30 is not of type"),
            ("v4 = 24", "v5 = 24", "('v5' was unexpected)"),
            ("  name = \"ws1\"\n", "", "\"name\" is a required property"),
        ];
        string[] files = [.. mistakes.Select(m => DaemonProcess.ConfigFileWith(Good.Replace(m.From, m.To, StringComparison.Ordinal)))];
        (int code, string output) = await LintAsync(files, cancel);
        Assert.That(code, Is.EqualTo(1));
        Assert.That(mistakes.Where(m => !output.Contains(m.Fault, StringComparison.Ordinal)), Is.Empty, output);
        Assert.That(files.Where(f => !output.Contains(f, StringComparison.Ordinal)), Is.Empty, output);
    }

    private static async Task<(int Code, string Errors)> LintAsync(string[] files, CancellationToken cancel)
    {
        var start = new ProcessStartInfo(
            "node", [Taplo, "lint", "--no-auto-config", "--schema", new Uri(Repository.PathOf("docs", "balancer.schema.json")).AbsoluteUri, .. files])
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
        };
        start.Environment["RUST_LOG"] = "error";
        using Process taplo = Process.Start(start)!;
        Task<string> output = taplo.StandardOutput.ReadToEndAsync(cancel);
        string errors = await taplo.StandardError.ReadToEndAsync(cancel);
        await taplo.WaitForExitAsync(cancel);
        return (taplo.ExitCode, (await output + errors).Trim());
    }
}
