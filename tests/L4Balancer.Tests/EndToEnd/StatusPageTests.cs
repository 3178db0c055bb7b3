using System.Net.Sockets;
using System.Text.Json;

namespace L4Balancer.Tests.EndToEnd;

/// <summary>The status page in a real browser.</summary>
[CancelAfter(180_000)]
[Category(DaemonProcess.Category)]
[Parallelizable(ParallelScope.Self)]
[Category(DaemonProcess.OfLogic)]
internal sealed class StatusPageTests
{
    private const string Token = "t0ken-of-the-page";

    [SetUp]
    public void Require() => BrowserScene.Require();

    [Test]
    public async Task It_follows_a_backend_that_dies_and_drains_another(CancellationToken cancel)
    {
        await using var first = new EchoPeer();
        var second = new EchoPeer();
        List<TcpClient> clients = [];
        try
        {
            await using BrowserScene scene = await BrowserScene.StartAsync(Token, $"""
                health.interval = "200ms"
                [[pools.backends]]
                name = "ws1"
                address = "{first.Endpoint}"
                [[pools.backends]]
                name = "ws2"
                address = "{second.Endpoint}"
                weight = 0
                """);
            for (int i = 0; i < 3; i++)
            {
                clients.Add(await Talk.ConnectAsync(scene.Listener));
                await Talk.EchoAsync(clients[^1], "hello");
            }

            await using PeerProcess page = PeerProcess.Start("status-page.js", $"{scene.Admin}/", Token, BrowserScene.Chromium);
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
            scene.Daemon.Signal(DaemonProcess.SIGTERM);
            await scene.Daemon.ExitAsync();
            await page.GoOnAsync();
            JsonElement seen = JsonDocument.Parse(await page.OutputAsync(cancel)).RootElement;
            using (Assert.EnterMultipleScope())
            {
                Assert.That(seen.GetProperty("faults").EnumerateArray().Select(f => f.ToString()), Is.Empty, "the console");
                Assert.That(seen.GetProperty("foreign").EnumerateArray().Select(f => f.ToString()), Is.Empty, "requests to others");
                Assert.That(seen.GetProperty("why").GetString(), Does.StartWith("connection refused, "));
                Assert.That(seen.GetProperty("event").GetString(), Does.Contain("chat/ws2").And.Contain("is down"));
                Assert.That(
                    seen.GetProperty("warnings").EnumerateArray().Select(w => w.GetString()), Is.All.Contains("the last backend of chat that takes connections"));
                string host = Environment.MachineName;
                Assert.That(seen.GetProperty("alive").ToString(), Is.EqualTo($"[0,false,\"3 · {host} · L4Balancer\"]"));
                Assert.That(seen.GetProperty("dead").ToString(), Does.StartWith($"[\"pool chat is dead\",\"▲ pool chat is dead · ").And.EndsWith(
                    $" · {host} · L4Balancer\",\"#pool-chat\"]"));
                Assert.That(seen.GetProperty("host").GetString(), Is.EqualTo(host));
                Assert.That(seen.GetProperty("since").GetString(), Does.Match(@"^for \d+s$"));
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
        }
    }

    [Test]
    public async Task A_rebalance_is_shown_and_stopped(CancellationToken cancel)
    {
        await using var first = new EchoPeer();
        await using var second = new EchoPeer();
        List<TcpClient> clients = [];
        try
        {
            await using BrowserScene scene = await BrowserScene.StartAsync(Token, $"""
                health.interval = "200ms"
                balance = "round-robin"
                [[pools.backends]]
                name = "ws1"
                address = "{first.Endpoint}"
                [[pools.backends]]
                name = "ws2"
                address = "{second.Endpoint}"
                weight = 0
                """);
            for (int i = 0; i < 40; i++)
            {
                clients.Add(await Talk.ConnectAsync(scene.Listener));
                await Talk.EchoAsync(clients[^1], "hello");
            }

            await using PeerProcess page = PeerProcess.Start("status-page-rebalance.js", $"{scene.Admin}/", Token, BrowserScene.Chromium);
            JsonElement seen = JsonDocument.Parse(await page.OutputAsync(cancel)).RootElement;
            using (Assert.EnterMultipleScope())
            {
                Assert.That(seen.GetProperty("faults").EnumerateArray().Select(f => f.ToString()), Is.Empty, "the console");
                Assert.That(seen.GetProperty("running").GetString(), Does.Match(@"rebalance: \d+ of 19 closed"));
                Assert.That(seen.GetProperty("row").GetString(), Does.Match(@"^rebalance: \d+ of 19 closed$"));
                Assert.That(seen.GetProperty("over").GetString(), Does.Not.Contain("rebalance"));
                Assert.That(seen.GetProperty("left").GetInt32(), Is.GreaterThan(20), "it was stopped before its end");
            }
        }
        finally
        {
            clients.ForEach(c => c.Dispose());
        }
    }

    [Test]
    public async Task The_connections_of_a_backend_show_the_route_and_the_key_that_decided(CancellationToken cancel)
    {
        await using var backend = new EchoPeer();
        await using BrowserScene scene = await BrowserScene.StartAsync("", $$"""
            backends = [{ name = "ws1", address = "{{backend.Endpoint}}" }]
            [[listeners]]
            name = "rooms"
            bind = ["127.0.0.1:0"]
            pool = "chat"
            inspect = "http"
            routes = [{ path = ["/rooms/*"], pool = "rooms" }]
            [[pools]]
            name = "rooms"
            hash_key = ["http-query:room"]
            backends = [{ name = "r1", address = "{{backend.Endpoint}}" }]
            """);
        using TcpClient client = await Talk.ConnectAsync(await scene.Daemon.ListenerAsync("rooms"));
        string address = Talk.AddressOf(client);

        // U+202E reverses what follows it; the element must stay text.
        await Talk.EchoAsync(client, "GET /rooms/?room=%3Cimg%20src=x%3E%E2%80%AEb HTTP/1.1\r\nHost: chat.test\r\n\r\n");
        await using PeerProcess page = PeerProcess.Start("status-page-connections.js", $"{scene.Admin}/", "rooms/r1", BrowserScene.Chromium);
        await page.SaysAsync("listed", cancel);
        client.Close();
        await page.GoOnAsync();
        JsonElement seen = JsonDocument.Parse(await page.OutputAsync(cancel)).RootElement;
        using (Assert.EnterMultipleScope())
        {
            Assert.That(Texts(seen, "faults"), Is.Empty, "the console");
            Assert.That(Texts(seen, "foreign"), Is.Empty, "requests to others");
            Assert.That(seen.GetProperty("title").GetString(), Is.EqualTo("Connections of rooms/r1"));
            Assert.That(seen.GetProperty("note").GetString(), Is.EqualTo("1 open"));
            Assert.That(
                Texts(seen, "heads"), Is.EqualTo(new[] { "Client", "Listener", "Route", "Name or key", "Age", "Idle", "To backend", "To client" }));
            Assert.That(Texts(seen, "row").Take(4), Is.EqualTo(new[] { address, "rooms", "1: path /rooms/*", "<img src=x>?b" }));
            Assert.That(seen.GetProperty("images").GetInt32(), Is.Zero);
            Assert.That(seen.GetProperty("overflow").GetInt32(), Is.LessThanOrEqualTo(0), "a phone scrolls down only");
            Assert.That(seen.GetProperty("left").GetInt32(), Is.Zero);
        }
    }

    private static string[] Texts(JsonElement seen, string name) => [.. seen.GetProperty(name).EnumerateArray().Select(e => e.ToString())];
}
