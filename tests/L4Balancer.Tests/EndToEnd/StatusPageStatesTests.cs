using System.Text.Json;
using L4Balancer.Page;
using Microsoft.AspNetCore.Http;

namespace L4Balancer.Tests.EndToEnd;

/// <summary>
/// The status page in a real browser before a daemon that is made of lines (<c>peers/fake-daemon.js</c>): dead pools, a daemon that hangs, actions
/// and their undo, the keyboard, a phone. axe-core looks at each state.
/// </summary>
[CancelAfter(180_000)]
[Parallelizable(ParallelScope.Self)]
internal sealed class StatusPageStatesTests
{
    private string _document = "";

    [SetUp]
    public void Require()
    {
        BrowserScene.Require();
        PeerProcess.RequireNode("axe-core");
        _document = Path.Combine(Path.GetTempPath(), $"l4balancer-page-{Guid.NewGuid():N}.html");
    }

    [TearDown]
    public void Remove()
    {
        if (_document.Length > 0)
        {
            File.Delete(_document);
        }
    }

    [Test]
    public async Task Every_state_is_shown_can_be_acted_on_and_is_accessible(CancellationToken cancel)
    {
        using var body = new MemoryStream();
        var http = new DefaultHttpContext { Response = { Body = body } };
        await StatusPage.WriteAsync(http);
        await File.WriteAllBytesAsync(_document, body.ToArray(), cancel);
        await using PeerProcess page = PeerProcess.Start(
            "status-page-states.js", _document, http.Response.Headers.ContentSecurityPolicy.ToString(), BrowserScene.Chromium);
        JsonElement seen = JsonDocument.Parse(await page.OutputAsync(cancel)).RootElement;
        using (Assert.EnterMultipleScope())
        {
            Assert.That(Texts(seen, "faults"), Is.Empty, "the console");
            Assert.That(Texts(seen, "foreign"), Is.Empty, "requests to others");
            Assert.That(Texts(seen, "violations"), Is.Empty, "axe-core");
            Assert.That(Texts(seen, "well"), Is.EqualTo(
                new[] { "Nothing is wrong: 8 of 8 backends up in 2 pools", "320 · lb1 · L4Balancer", "2f7d8c", "fleet chat-fleet, 3 balancers" }));
            Assert.That(seen.GetProperty("points").GetInt32(), Is.EqualTo(720), "a tab that opens has its charts");
            Assert.That(Texts(seen, "ticks"), Has.Length.InRange(3, 5).And.All.Match(@"^\d\d:(00|15|30|45)$"));
            Assert.That(seen.GetProperty("days").GetInt32(), Is.GreaterThanOrEqualTo(2));
            Assert.That(Texts(seen, "warnings"), Is.EqualTo(new[] { "backend chat/ws2 is down", "configuration reload failed: 12:5" }));
            Assert.That(Texts(seen, "ofOne"), Is.EqualTo(new[] { "backend chat/ws2 is down" }));
            Assert.That(seen.GetProperty("heir").GetString(), Is.EqualTo("Ready chat/ws2"), "the focus after its button was hidden");
            Assert.That(seen.GetProperty("home").GetString(), Is.EqualTo("Pool chat"), "the focus after its row has gone");
            Assert.That(seen.GetProperty("nothing").GetBoolean());
            Assert.That(Texts(seen, "changes"), Is.EqualTo(new[]
            {
                "POST /v1/backends/chat/ws2/maint", "POST /v1/backends/chat/ws2/ready", "PUT /v1/backends/chat/ws1/weight {\"weight\":7}",
                "POST /v1/backends/chat/ws4/drain?within=10m", "POST /v1/backends/chat/ws5/drain?within=10m",
                "POST /v1/backends/chat/ws4/ready", "POST /v1/backends/chat/ws5/ready",
            }));
            Assert.That(Texts(seen, "closes"), Is.EqualTo(new[] { "DELETE /v1/connections/2", "DELETE /v1/connections?source=203.0.113.0%2F24" }));
            Assert.That(Texts(seen, "wrong").Select(w => w.Split('\n')[0]), Is.EqualTo(new[]
            {
                "Pool rooms is dead: none of its 2 backends takes connections. Its clients are refused", "rooms/r1 is down: connection refused",
                "rooms/r2 is degraded: status 503",
            }));
            Assert.That(Texts(seen, "wrong"), Is.All.Contains("\nsince "));
            Assert.That(seen.GetProperty("first").GetString(), Is.EqualTo("rooms"), "the dead pool comes first");
            Assert.That(Texts(seen, "dead"), Is.EqualTo(new[] { "▲ pool rooms is dead · 320 · lb1 · L4Balancer", "b3312b" }));
            Assert.That(Texts(seen, "folded"), Is.EqualTo(new[] { "rooms true", "chat false" }), "on a phone, what is well is folded");
            Assert.That(Texts(seen, "actions"), Is.EqualTo(new[] { "Drain…", "Maintenance", "Weight…" }));
            Assert.That(seen.GetProperty("overflow").GetInt32(), Is.LessThanOrEqualTo(0), "a phone scrolls down only");
            Assert.That(Texts(seen, "hung"), Is.EqualTo(new[] { "▲ no answer · lb1 · L4Balancer", "b3312b", "true", "0", "Maintenance chat/ws1" }));
            Assert.That(seen.GetProperty("hangs").GetString(), Does.StartWith("No answer since "));
            Assert.That(seen.GetProperty("back").ToString(), Is.EqualTo("[false,null]"));
            Assert.That(seen.GetProperty("clock").ToString(), Is.EqualTo("[true,30]"), "a clock that was set back does not stop the charts");
            Assert.That(Texts(seen, "packets"), Is.EqualTo(new[] { "4 packets, 600 B", "ring · 0 of 2 up · packets", "packets dropped: fragment 2", "false" }));
        }
    }

    private static string[] Texts(JsonElement seen, string name) => [.. seen.GetProperty(name).EnumerateArray().Select(e => e.ToString())];
}
