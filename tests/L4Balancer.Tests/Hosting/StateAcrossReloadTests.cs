using L4Balancer.Tests.Pacing;

namespace L4Balancer.Tests.Hosting;

/// <summary>A reload does not forget what is known of a backend, nor what an operator wants of it.</summary>
[CancelAfter(120_000)]
[Category(DaemonProcess.Category)]
internal sealed class StateAcrossReloadTests
{
    [Test]
    public async Task A_backend_that_is_down_stays_down_without_a_new_probe_and_a_drain_stays()
    {
        using var probed = new HoldingBackend();
        string Pool(string interval) =>
            $"health = {{ interval = \"{interval}\", fast_interval = \"{interval}\", down_interval = \"{interval}\", port = {probed.Endpoint.Port}, fall = 1, rise = 1 }}";
        await using PacedScene scene = await PacedScene.StartAsync("epoll", backends: 2, Pool("100ms"), health: "");
        Assert.That((await scene.CommandAsync("drain", "chat/ws2")).Code, Is.Zero);
        await scene.UntilAsync(async () => (await scene.StatesAsync()).SequenceEqual(["up", "draining"]), "one serves");
        Assert.That(await Talk.IsRefusedAsync(scene.Listener), Is.False);

        // The backends themselves go on to listen: whoever believed them up would be let through.
        probed.StopListening();
        for (int i = 0; i < scene.Backends.Length; i++)
        {
            await scene.Daemon.LineWithAsync($"backend chat/ws{i + 1} ({scene.Backends[i].Endpoint}) is down");
        }

        foreach (string more in new[] { "", "\nclose_rate = 7", "\nclose_rate = 8" })
        {
            await scene.ReloadAsync(Pool("1h") + more);
            Assert.That(await Talk.IsRefusedAsync(scene.Listener), Is.True);
            Assert.That(await scene.StatesAsync(), Is.EqualTo(new[] { "down", "draining" }));
        }

        Assert.That((await scene.CommandAsync("ready", "chat/ws2")).Code, Is.Zero);
        Assert.That(await scene.StatesAsync(), Is.EqualTo(new[] { "down", "down" }));
    }
}
