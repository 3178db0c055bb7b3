using System.Net.Sockets;
using System.Text;
using System.Text.Json;

namespace L4Balancer.Tests.EndToEnd;

/// <summary>The status page in a real browser.</summary>
[CancelAfter(180_000)]
internal sealed class StatusPageTests
{
    private const string Chromium = "/usr/bin/chromium";
    private const string Token = "t0ken-of-the-page";

    [SetUp]
    public void Require()
    {
        PeerProcess.RequireNode("playwright-core");
        if (!File.Exists(Chromium))
        {
            Assert.Ignore("chromium is not installed: make test-deps");
        }
    }

    [Test]
    public async Task It_follows_a_backend_that_dies_and_drains_another(CancellationToken cancel)
    {
        await using var first = new EchoPeer();
        var second = new EchoPeer();
        string token = Path.Combine(Path.GetTempPath(), $"l4balancer-token-{Guid.NewGuid():N}");
        await File.WriteAllTextAsync(token, Token, cancel);
        List<TcpClient> clients = [];
        try
        {
            await using DaemonProcess daemon = DaemonProcess.Run($"""
                [balancer]
                shutdown_grace = "0s"
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
                health = {"{"} interval = "200ms" {"}"}
                [[pools.backends]]
                name = "ws1"
                address = "{first.Endpoint}"
                [[pools.backends]]
                name = "ws2"
                address = "{second.Endpoint}"
                weight = 0
                """);
            await daemon.ReadyAsync();
            for (int i = 0; i < 3; i++)
            {
                clients.Add(await Talk.ConnectAsync(await daemon.ListenerAsync("wss")));
                await Talk.EchoAsync(clients[^1], "hello");
            }

            await using PeerProcess page = PeerProcess.Start("status-page.js", await AddressAsync(daemon), Token, Chromium);
            await page.SaysAsync("up", cancel);
            await second.DisposeAsync();
            await page.GoOnAsync();
            await page.SaysAsync("drained", cancel);
            foreach (TcpClient client in clients)
            {
                Assert.That(await client.GetStream().ReadAsync(new byte[1], cancel), Is.Zero, "drained by the page");
            }

            await page.GoOnAsync();
            await page.SaysAsync("ready", cancel);
            daemon.Signal(15);
            await daemon.ExitAsync();
            await page.GoOnAsync();
            JsonElement seen = JsonDocument.Parse(await page.OutputAsync(cancel)).RootElement;
            using (Assert.EnterMultipleScope())
            {
                Assert.That(seen.GetProperty("faults").EnumerateArray().Select(f => f.ToString()), Is.Empty, "the console");
                Assert.That(seen.GetProperty("foreign").EnumerateArray().Select(f => f.ToString()), Is.Empty, "requests to others");
                Assert.That(seen.GetProperty("why").GetString(), Does.StartWith("connection refused, "));
                Assert.That(seen.GetProperty("event").GetString(), Does.Contain("chat/ws2").And.Contain("is down"));
                Assert.That(seen.GetProperty("reasons").GetString(), Does.Contain("drain"));
                Assert.That(seen.GetProperty("found").EnumerateArray().Select(f => f.ToString()), Is.EqualTo(["ws2"]));
                Assert.That(seen.GetProperty("grounds").EnumerateArray().Select(f => f.ToString()), Is.Unique, "the themes");
                Assert.That(seen.GetProperty("overflow").GetInt32(), Is.LessThanOrEqualTo(0), "a phone scrolls down only");
            }
        }
        finally
        {
            clients.ForEach(c => c.Dispose());
            await second.DisposeAsync();
            File.Delete(token);
        }
    }

    [Test]
    public async Task It_stays_fluent_with_a_thousand_backends(CancellationToken cancel)
    {
        const int backends = 1000;
        var toml = new StringBuilder("""
            [admin]
            socket = ""
            listen = "127.0.0.1:0"
            [[listeners]]
            name = "wss"
            bind = ["127.0.0.1:0"]
            pool = "chat"
            [[pools]]
            name = "chat"
            health = { type = "tcp", interval = "1s" }

            """);
        for (int i = 0; i < backends; i++)
        {
            toml.AppendLine($"[[pools.backends]]\nname = \"b{i:0000}\"\naddress = \"127.1.{i / 250}.{(i % 250) + 1}:9\"");
        }

        await using DaemonProcess daemon = DaemonProcess.Run(toml.ToString());
        await daemon.ReadyAsync();
        await using PeerProcess page = PeerProcess.Start(
            "status-page-load.js", await AddressAsync(daemon), backends.ToString(System.Globalization.CultureInfo.InvariantCulture), Chromium);
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

    private static async Task<string> AddressAsync(DaemonProcess daemon)
    {
        string line = await daemon.LineWithAsync("admin API on http://");
        return line[line.IndexOf("http://", StringComparison.Ordinal)..].TrimEnd('/') + "/";
    }
}
