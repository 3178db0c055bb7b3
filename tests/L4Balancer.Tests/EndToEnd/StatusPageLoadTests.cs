using System.Globalization;
using System.Text;
using System.Text.Json;

namespace L4Balancer.Tests.EndToEnd;

/// <summary>The status page with very many backends: it measures, so it runs alone.</summary>
[CancelAfter(180_000)]
[Category(DaemonProcess.Category)]
[Category(DaemonProcess.OfLogic)]
internal sealed class StatusPageLoadTests
{
    [SetUp]
    public void Require() => BrowserScene.Require();

    [Test]
    public async Task It_stays_fluent_with_a_thousand_backends(CancellationToken cancel)
    {
        const int backends = 1000;
        var pool = new StringBuilder("health = { type = \"tcp\", interval = \"1s\" }\n");
        for (int i = 0; i < backends; i++)
        {
            pool.AppendLine($"[[pools.backends]]\nname = \"b{i:0000}\"\naddress = \"127.1.{i / 250}.{(i % 250) + 1}:9\"");
        }

        await using BrowserScene scene = await BrowserScene.StartAsync("", pool.ToString());
        await using PeerProcess page = PeerProcess.Start(
            "status-page-load.js", $"{scene.Admin}/", backends.ToString(CultureInfo.InvariantCulture), BrowserScene.Chromium);
        JsonElement seen = JsonDocument.Parse(await page.OutputAsync(cancel)).RootElement;
        TestContext.Out.WriteLine(seen);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(seen.GetProperty("faults").EnumerateArray().Select(f => f.ToString()), Is.Empty, "the console");
            Assert.That(seen.GetProperty("frames").GetDouble(), Is.GreaterThan(10), "frames a second while it is scrolled, without a graphics card");
            Assert.That(seen.GetProperty("tasks").EnumerateArray().Select(t => t.GetInt32()).DefaultIfEmpty().Max(), Is.LessThan(500), "milliseconds");
            Assert.That(seen.GetProperty("found").EnumerateArray().Select(f => f.ToString()), Is.EqualTo(["b0999"]));
        }
    }
}
