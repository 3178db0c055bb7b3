using System.Net;
using System.Net.WebSockets;
using System.Text.Json;
using L4Balancer.Tests.Admin;
using L4Balancer.Tests.EndToEnd;
using L4Balancer.Tests.Truth;

namespace L4Balancer.Tests.Hosting;

/// <summary>
/// What a probe by <c>wss</c> is for: an application that still welcomes everybody and answers nobody, before a real daemon.
/// </summary>
[CancelAfter(180_000)]
[Category(DaemonProcess.Category)]
[Parallelizable(ParallelScope.Self)]
internal sealed class DeafBackendTests
{
    private const int Clients = 12;

    private readonly List<ClientWebSocket> _open = [];

    [TearDown]
    public void Leave()
    {
        _open.ForEach(c => c.Dispose());
        _open.Clear();
    }

    [Test]
    public async Task Whose_pongs_stay_away_keeps_its_connections_gets_no_new_ones_and_comes_back(
        [Values("epoll", "managed")] string engine, CancellationToken cancel)
    {
        using var folder = new SocketFolder();
        await using WebSocketBackend deaf = await WebSocketBackend.StartAsync("deaf");
        await using WebSocketBackend other = await WebSocketBackend.StartAsync("other");
        await using DaemonProcess daemon = DaemonProcess.Run(Config(folder, engine, deaf, other));
        await daemon.ReadyAsync();
        IPEndPoint front = await daemon.ListenerAsync("wss");
        Task<(ClientWebSocket Client, string Backend)[]> ComeAsync() => this.ComeAsync(front, [deaf, other], cancel);
        (ClientWebSocket Client, string Backend)[] early = await ComeAsync();
        int ofDeaf = early.Count(c => c.Backend == "deaf");
        Assert.That(ofDeaf, Is.InRange(1, Clients - 1), "both have some");

        deaf.IsDeaf = true;
        await daemon.LineWithAsync("is degraded: no pong within 3s");
        JsonElement backend = await folder.GetAsync("/v1/backends/chat/deaf");
        var metrics = new Exposition(await folder.Http.GetStringAsync("/metrics", cancel));
        using (Assert.EnterMultipleScope())
        {
            Assert.That(backend.GetProperty("state").GetString(), Is.EqualTo("degraded"));
            Assert.That(backend.GetProperty("health").GetProperty("detail").GetString(), Does.StartWith("no pong within 3s"));
            Assert.That(metrics.By("state", "backend_state", "backend=deaf").Keys, Is.EqualTo(new[] { "degraded" }));
            Assert.That((metrics.Sum("backend_up", "backend=deaf"), metrics.Sum("backend_up", "backend=other")), Is.EqualTo((0.0, 1.0)));
        }

        Assert.That((await ComeAsync()).Select(c => c.Backend), Is.All.EqualTo("other"));
        foreach ((ClientWebSocket client, _) in early)
        {
            Assert.That(await WssClient.EchoAsync(client, "still"u8.ToArray(), cancel), Is.EqualTo("still"u8.ToArray()));
        }

        backend = await folder.GetAsync("/v1/backends/chat/deaf");
        Assert.That(backend.GetProperty("connections").GetInt32(), Is.EqualTo(ofDeaf));
        Assert.That(backend.GetProperty("closed").TryGetProperty("backend_down", out _), Is.False, "on_backend_down is for who is down");

        deaf.IsDeaf = false;
        await daemon.LineWithAsync("backend chat/deaf (127.0.0.1:" + deaf.Port + ") is up");
        Assert.That((await folder.GetAsync("/v1/backends/chat/deaf")).GetProperty("state").GetString(), Is.EqualTo("up"));
        Assert.That((await ComeAsync()).Select(c => c.Backend), Has.Some.EqualTo("deaf"));
    }

    private async Task<(ClientWebSocket Client, string Backend)[]> ComeAsync(
        IPEndPoint front, WebSocketBackend[] backends, CancellationToken cancel)
    {
        var come = new (ClientWebSocket, string)[Clients];
        for (int i = 0; i < Clients; i++)
        {
            (ClientWebSocket client, string backend, _) = await WssClient.ConnectAsync(front, backends, cancel);
            _open.Add(client);
            come[i] = (client, backend);
        }

        return come;
    }

    // Round-robin: each of two gets half of the clients. A pong may take its time where the machine is busy.
    private static string Config(SocketFolder folder, string engine, params WebSocketBackend[] backends) => $"""
        [balancer]
        engine = "{engine}"
        [admin]
        socket = "{folder.SocketPath}"
        [[listeners]]
        name = "wss"
        bind = ["127.0.0.1:0"]
        pool = "chat"
        [[pools]]
        name = "chat"
        balance = "round-robin"
        on_backend_down = "close"
        [pools.health]
        type = "wss"
        interval = "100ms"
        fast_interval = "100ms"
        down_interval = "100ms"
        timeout = "3s"
        rise = 1
        fall = 2

        """ + string.Concat(backends.Select(b => $"[[pools.backends]]\nname = \"{b.Name}\"\naddress = \"127.0.0.1:{b.Port}\"\n"));
}
