using System.Net.Sockets;

namespace L4Balancer.Tests.Documents;

/// <summary>The commands that the pages give to an operator work as written.</summary>
[System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
[Category(DaemonProcess.Category)]
[Category(DaemonProcess.OfLogic)]
internal sealed class RunbookTests
{
    private RunbookScene _scene = null!;

    private static IEnumerable<string> Operations => new Document("docs/operations.md").Blocks("sh");

    private static IEnumerable<string> Admin => new Document("docs/admin.md").Blocks("sh");

    [OneTimeSetUp]
    public async Task Start()
    {
        foreach (string program in (string[])["bash", "curl", "jq"])
        {
            if (!Array.Exists(Environment.GetEnvironmentVariable("PATH")!.Split(':'), p => File.Exists(Path.Combine(p, program))))
            {
                Assert.Ignore($"{program} is not installed: make test-deps");
            }
        }

        _scene = await RunbookScene.StartAsync();
    }

    [OneTimeTearDown]
    public async Task Stop()
    {
        if (_scene is not null)
        {
            await _scene.DisposeAsync();
        }
    }

    [TestCaseSource(nameof(Operations))]
    public async Task A_runbook_works(string block)
    {
        // So that there is something to see in the log.
        using (TcpClient client = await Talk.ConnectAsync(_scene.Listener))
        {
            await Talk.EchoAsync(client, "hello");
        }

        (int code, string output) = await _scene.TypeAsync(block);
        Assert.That(code, Is.Zero, output);
        (_, string backends) = await _scene.TypeAsync("l4balancer backends");
        Assert.That(backends.Split(" up ", StringSplitOptions.None), Has.Length.EqualTo(4), $"everybody is back\n{backends}");
    }

    [TestCaseSource(nameof(Admin))]
    public async Task The_requests_of_the_API_work(string block)
    {
        using TcpClient client = await Talk.ConnectAsync(_scene.Listener);
        await Talk.EchoAsync(client, "hello");
        (_, string id) = await _scene.TypeAsync("l4balancer connections --json | jq -r .connections[0].id");
        string typed = block.Replace("curl -s", "curl -sSf", StringComparison.Ordinal)
            .Replace("/run/l4balancer/admin.sock", _scene.Socket, StringComparison.Ordinal)
            .Replace("127.0.0.1:9180", _scene.Admin, StringComparison.Ordinal)
            .Replace("/4711", $"/{id.Trim()}", StringComparison.Ordinal);
        (int code, string output) = await _scene.TypeAsync(typed);
        Assert.That(code, Is.Zero, output);
        await _scene.TypeAsync("l4balancer ready chat/ws1");
    }

    [Test]
    public async Task A_line_that_fails_is_seen()
    {
        Assert.That((await _scene.TypeAsync("l4balancer drain chat/nobody")).Code, Is.Not.Zero);
        Assert.That((await _scene.TypeAsync("sysctl -w net.ipv4.no_such_key=1")).Code, Is.Not.Zero);
    }
}
