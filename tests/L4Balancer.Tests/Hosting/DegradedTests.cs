using System.Text.Json;
using L4Balancer.Tests.Pacing;
using L4Balancer.Tests.Truth;

namespace L4Balancer.Tests.Hosting;

/// <summary>Over a real daemon: a backend that connects but does not answer as it should, and what is left of a pool that is mostly so.</summary>
[CancelAfter(120_000)]
[Category(DaemonProcess.Category)]
[Parallelizable(ParallelScope.Self)]
internal sealed class DegradedTests
{
    private const string Health =
        "type = \"http\"\ninterval = \"50ms\"\nfast_interval = \"50ms\"\ndown_interval = \"50ms\"\ntimeout = \"20s\"\nrise = 1\nfall = 2\n";

    [Test]
    public async Task A_degraded_backend_keeps_its_connections_until_nobody_listens_there_any_more([Values("epoll", "managed")] string engine)
    {
        await using PacedScene scene = await PacedScene.StartAsync(engine, backends: 2, "on_backend_down = \"close\"\nclose_rate = 1000", Health);
        await scene.Clients.ComeAsync(scene.Listener, 40);
        await scene.UntilAsync(async () => (await scene.ConnectionsAsync()).Sum() == 40, "all are there");
        int[] before = await scene.ConnectionsAsync();

        scene.Backends[0].Status = 503;
        await scene.Daemon.LineWithAsync("is degraded: answered 503");
        JsonElement backend = (await scene.BackendsAsync())[0];
        var metrics = new Exposition(await scene.MetricsAsync());
        using (Assert.EnterMultipleScope())
        {
            Assert.That(backend.GetProperty("state").GetString(), Is.EqualTo("degraded"));
            Assert.That(backend.GetProperty("health").GetProperty("detail").GetString(), Is.EqualTo("answered 503"));
            Assert.That(metrics.By("state", "backend_state", "backend=ws1").Keys, Is.EqualTo(new[] { "degraded" }));
            Assert.That((metrics.Sum("backend_up", "backend=ws1"), metrics.Sum("backend_up", "backend=ws2")), Is.EqualTo((0.0, 1.0)));
        }

        await scene.Clients.ComeAsync(scene.Listener, 20);
        await scene.UntilAsync(async () => (await scene.ConnectionsAsync()).Sum() == 60, "the new ones are there");
        Assert.That(await scene.ConnectionsAsync(), Is.EqualTo(new[] { before[0], before[1] + 20 }));
        Assert.That(await scene.ClosedAsync("backend_down"), Is.Zero);

        scene.Backends[0].StopListening();
        await scene.Daemon.LineWithAsync("backend chat/ws1 (" + scene.Backends[0].Endpoint + ") is down");
        await scene.UntilAsync(async () => (await scene.ConnectionsAsync()).SequenceEqual([0, 60]), "all have moved");
        await scene.UntilAsync(async () => await scene.ClosedAsync("backend_down") == before[0], "each is counted");
        Assert.That(scene.Clients.Resets, Is.Zero);
    }

    [Test]
    public async Task Below_the_panic_threshold_probes_are_not_believed()
    {
        await using PacedScene scene = await PacedScene.StartAsync(
            "epoll", backends: 3, "balance = \"round-robin\"\npanic_threshold = 0.5", Health);
        scene.Backends[0].Status = 503;
        await scene.Daemon.LineWithAsync("backend chat/ws1 (" + scene.Backends[0].Endpoint + ") is degraded");
        await ComeAsync(scene, 20, inAll: 20);
        Assert.That(await scene.ConnectionsAsync(), Is.EqualTo(new[] { 0, 10, 10 }), "two of three is above it");

        scene.Backends[1].Status = 503;
        await scene.Daemon.LineWithAsync("backend chat/ws2 (" + scene.Backends[1].Endpoint + ") is degraded");
        await ComeAsync(scene, 30, inAll: 50);
        Assert.That(await scene.ConnectionsAsync(), Is.EqualTo(new[] { 10, 20, 20 }).Within(1), "one of three is below it");
        Assert.That(await scene.StatesAsync(), Is.EqualTo(new[] { "degraded", "degraded", "up" }));

        await scene.ReloadAsync("balance = \"round-robin\"");
        int[] before = await scene.ConnectionsAsync();
        await ComeAsync(scene, 10, inAll: 60);
        Assert.That(await scene.ConnectionsAsync(), Is.EqualTo(new[] { before[0], before[1], before[2] + 10 }), "there is none any more");
    }

    [Test]
    public async Task Where_all_are_degraded_new_connections_are_refused()
    {
        await using PacedScene scene = await PacedScene.StartAsync("epoll", backends: 1, "", Health);
        await ComeAsync(scene, 3, inAll: 3);
        scene.Backends[0].Status = 503;
        await scene.Daemon.LineWithAsync("pool chat has no backend that is up");

        Assert.That(await Talk.IsRefusedAsync(scene.Listener), Is.True);
        await scene.UntilAsync(
            async () => new Exposition(await scene.MetricsAsync()).Sum("connections_refused_total", "reason=no_backend") == 1, "it is counted");
        Assert.That(await scene.ConnectionsAsync(), Is.EqualTo(new[] { 3 }));
        scene.Backends[0].Status = 200;
        await scene.Daemon.LineWithAsync(") is up");
        Assert.That(await Talk.IsRefusedAsync(scene.Listener), Is.False);
    }

    private static async Task ComeAsync(PacedScene scene, int count, int inAll)
    {
        await scene.Clients.ComeAsync(scene.Listener, count);
        await scene.UntilAsync(async () => (await scene.ConnectionsAsync()).Sum() == inAll, "all are there");
    }
}
