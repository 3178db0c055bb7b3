using System.Text.Json;

namespace L4Balancer.Tests.EndToEnd;

/// <summary>A page of another origin, in a real browser, can neither read nor change anything, whatever a browser lets it try.</summary>
[CancelAfter(120_000)]
[Category(DaemonProcess.Category)]
[Parallelizable(ParallelScope.Self)]
[Category(DaemonProcess.OfLogic)]
internal sealed class ForeignPageTests
{
    [Test]
    public async Task A_page_of_another_origin_can_neither_read_nor_change(CancellationToken cancel)
    {
        BrowserScene.Require();
        await using var backend = new EchoPeer();
        await using BrowserScene scene = await BrowserScene.StartAsync(
            "secret-of-the-tests", $"[[pools.backends]]\nname = \"ws1\"\naddress = \"{backend.Endpoint}\"");
        await using PeerProcess page = PeerProcess.Start("foreign-page.js", scene.Admin, BrowserScene.Chromium);
        JsonElement tried = JsonDocument.Parse(await page.OutputAsync(cancel)).RootElement;
        TestContext.Out.WriteLine(tried);

        using var http = new HttpClient();
        JsonElement state = JsonDocument.Parse(await http.GetStringAsync($"{scene.Admin}/v1/backends/chat/ws1", cancel)).RootElement;
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
            Assert.That(scene.Daemon.Output, Has.None.Contains("configuration reloaded"), "nobody reloaded");
        }
    }
}
