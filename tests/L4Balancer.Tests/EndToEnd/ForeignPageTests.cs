using System.Text.Json;

namespace L4Balancer.Tests.EndToEnd;

/// <summary>A page of another origin, in a real browser, can neither read nor change anything, whatever a browser lets it try.</summary>
[CancelAfter(120_000)]
internal sealed class ForeignPageTests
{
    private const string Chromium = "/usr/bin/chromium";

    [Test]
    public async Task A_page_of_another_origin_can_neither_read_nor_change(CancellationToken cancel)
    {
        PeerProcess.RequireNode("playwright-core");
        if (!File.Exists(Chromium))
        {
            Assert.Ignore("chromium is not installed");
        }

        await using var backend = new EchoPeer();
        string token = Path.Combine(Path.GetTempPath(), $"l4balancer-token-{Guid.NewGuid():N}");
        await File.WriteAllTextAsync(token, "secret", cancel);
        await using DaemonProcess daemon = DaemonProcess.Run($"""
            [admin]
            socket = ""
            listen = "127.0.0.1:0"
            token_file = "{token}"
            [[listeners]]
            name = "wss"
            bind = ["127.0.0.1:0"]
            pool = "chat"
            [[pools]]
            name = "chat"
            [[pools.backends]]
            name = "ws1"
            address = "{backend.Endpoint}"
            """);
        await daemon.ReadyAsync();
        string line = await daemon.LineWithAsync("admin API on http://");
        string admin = line[line.IndexOf("http://", StringComparison.Ordinal)..].TrimEnd('/');
        await using PeerProcess page = PeerProcess.Start("foreign-page.js", admin, Chromium);
        JsonElement tried = JsonDocument.Parse(await page.OutputAsync(cancel)).RootElement;
        TestContext.Out.WriteLine(tried);

        using var http = new HttpClient();
        JsonElement state = JsonDocument.Parse(await http.GetStringAsync($"{admin}/v1/backends/chat/ws1", cancel)).RootElement;
        using (Assert.EnterMultipleScope())
        {
            foreach (JsonProperty attempt in tried.GetProperty("foreign").EnumerateObject())
            {
                Assert.That(attempt.Value.ToString(), Does.Not.Contain("generation").And.Not.Contain("uptime"), $"{attempt.Name} read");
            }

            Assert.That(tried.GetProperty("rebound").GetProperty("status").GetInt32(), Is.EqualTo(403), "a foreign Host is refused");
            Assert.That(tried.GetProperty("rebound").GetProperty("text").GetString(), Does.Not.Contain("uptime"));
            Assert.That(tried.GetProperty("direct").GetProperty("status").GetInt32(), Is.EqualTo(200), "its own address may be read");
            Assert.That(state.GetProperty("state").GetString(), Is.EqualTo("up"), "nobody drained it");
            Assert.That(state.GetProperty("weight").GetInt32(), Is.EqualTo(100), "nobody weighed it");
            Assert.That(daemon.Output, Has.None.Contains("configuration reloaded"), "nobody reloaded");
        }
    }
}
