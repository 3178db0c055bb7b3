using System.Text.Json;
using L4Balancer.Tests.Pacing;

namespace L4Balancer.Tests.Hosting;

/// <summary>Over a real daemon: the connects of clients take a backend down and bring it back.</summary>
[CancelAfter(120_000)]
[Category(DaemonProcess.Category)]
[Parallelizable(ParallelScope.Self)]
internal sealed class PassiveTests
{
    private const string Unprobed = "connect_attempts = 1\npassive = { failures = 3, retry = \"1s\" }\nhealth.type = \"none\"";

    [Test]
    public async Task Without_probes_connects_take_it_down_and_one_that_is_let_through_brings_it_back([Values("epoll", "managed")] string engine)
    {
        await using PacedScene scene = await PacedScene.StartAsync(engine, backends: 1, Unprobed, health: "");
        scene.Backends[0].StopListening();
        for (int i = 0; i < 3; i++)
        {
            Assert.That(await Talk.IsRefusedAsync(scene.Listener), Is.True);
        }

        await scene.Daemon.LineWithAsync("is down: 3 consecutive connects failed: connection refused");
        await scene.Daemon.LineWithAsync("pool chat has no backend that is up");
        JsonElement backend = (await scene.BackendsAsync())[0];
        Assert.That(backend.GetProperty("state").GetString(), Is.EqualTo("down"));
        Assert.That(backend.GetProperty("health").GetProperty("detail").GetString(), Is.EqualTo("3 consecutive connects failed: connection refused"));
        Assert.That((await scene.CommandAsync("backends")).Output, Does.Contain("3 consecutive connects failed"));
        Assert.That(await scene.MetricsAsync(), Does.Match("backend_state\\{.*state=\"down\"\\} 1\n").And.Match("backend_up\\{.*\\} 0\n"));

        // One trial connection per second goes there; all others are refused without an attempt.
        await scene.UntilAsync(async () => { await Talk.IsRefusedAsync(scene.Listener); return await AttemptsAsync(scene) >= 5; }, "it is tried twice more");
        long refused = (await StatusAsync(scene)).GetProperty("refused").GetProperty("no_backend").GetInt64();
        Assert.That(refused, Is.GreaterThan(5));

        scene.Backends[0].Listen();
        await scene.UntilAsync(async () => !await Talk.IsRefusedAsync(scene.Listener), "one comes through");
        await scene.Daemon.LineWithAsync(") is up");
        await scene.UntilAsync(async () => (await scene.BackendsAsync())[0].GetProperty("state").GetString() == "up", "it is up");
        Assert.That(await Talk.IsRefusedAsync(scene.Listener), Is.False);
    }

    [Test]
    public async Task With_probes_it_is_they_who_bring_it_back()
    {
        using var probed = new HoldingBackend();
        await using PacedScene scene = await PacedScene.StartAsync(
            "epoll", backends: 1, "connect_attempts = 1\npassive.failures = 3",
            $"interval = \"1h\"\nrise = 2\njitter = 0\nport = {probed.Endpoint.Port}\n");

        // The probes go to another port, and once in an hour: so it is the probe interval of a backend that is down that brings it back in
        // time.
        scene.Backends[0].StopListening();
        for (int i = 0; i < 3; i++)
        {
            Assert.That(await Talk.IsRefusedAsync(scene.Listener), Is.True);
        }

        await scene.Daemon.LineWithAsync("is down: 3 consecutive connects failed");
        scene.Backends[0].Listen();
        await scene.Daemon.LineWithAsync(") is up");
        Assert.That(await Talk.IsRefusedAsync(scene.Listener), Is.False);
    }

    [Test]
    public async Task Switched_off_by_a_reload_it_lets_the_backend_come_back()
    {
        await using PacedScene scene = await PacedScene.StartAsync("epoll", backends: 1, Unprobed.Replace("1s", "1h", StringComparison.Ordinal), health: "");
        scene.Backends[0].StopListening();
        for (int i = 0; i < 3; i++)
        {
            Assert.That(await Talk.IsRefusedAsync(scene.Listener), Is.True);
        }

        await scene.Daemon.LineWithAsync("is down");
        scene.Backends[0].Listen();
        await scene.ReloadAsync("passive.failures = 0\nhealth.type = \"none\"");
        await scene.Daemon.LineWithAsync(") is up");
        Assert.That(await Talk.IsRefusedAsync(scene.Listener), Is.False);
    }

    [Test]
    public async Task On_backend_down_that_a_reload_switches_to_close_strikes_who_is_down_already()
    {
        await using PacedScene scene = await PacedScene.StartAsync("epoll", backends: 2);
        await scene.Clients.ComeAsync(scene.Listener, 50);
        await scene.UntilAsync(async () => (await scene.ConnectionsAsync()).Sum() == 50, "all are there");
        scene.Backends[0].StopListening();
        await scene.Daemon.LineWithAsync("is down");
        Assert.That(await scene.ClosedAsync("backend_down"), Is.Zero);

        await scene.ReloadAsync("on_backend_down = \"close\"");
        await scene.UntilAsync(async () => (await scene.ConnectionsAsync())[0] == 0, "they are closed");
        Assert.That(await scene.ClosedAsync("backend_down"), Is.GreaterThan(5));
        Assert.That(scene.Clients.Resets, Is.Zero);
    }

    private static async Task<long> AttemptsAsync(PacedScene scene) => (await scene.BackendsAsync())[0].GetProperty("connect_attempts").GetInt64();

    private static async Task<JsonElement> StatusAsync(PacedScene scene)
    {
        (int code, string output) = await scene.CommandAsync("status", "--json");
        Assert.That(code, Is.Zero, output);
        return JsonDocument.Parse(output).RootElement;
    }
}
