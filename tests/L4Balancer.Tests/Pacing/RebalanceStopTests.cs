using System.Text.Json;

namespace L4Balancer.Tests.Pacing;

/// <summary>A rebalance that runs can be seen and stopped.</summary>
[CancelAfter(120_000)]
[Category(DaemonProcess.Category)]
[Parallelizable(ParallelScope.Self)]
internal sealed class RebalanceStopTests
{
    private const int All = 60;

    [Test]
    public async Task It_goes_on_where_its_command_is_interrupted_and_ends_where_it_is_stopped([Values("epoll", "managed")] string engine)
    {
        await using PacedScene scene = await ScaledOutAsync(engine);
        await using DaemonProcess command = scene.StartCommand("rebalance", "chat", "--rate", "1");
        await scene.UntilAsync(async () => await ClosedAsync(scene) is >= 2, "it has closed some");

        string status = (await scene.CommandAsync("status")).Output;
        string backends = (await scene.CommandAsync("backends")).Output;
        Assert.That(status, Does.Match(@"\nchat .* rebalance: \d+ of \d+ closed\n"));
        Assert.That(backends, Does.Match(@"\nchat/ws1 .* rebalance \d+ of \d+ "));

        command.Signal(DaemonProcess.SIGINT);
        Assert.That(await command.ExitAsync(), Is.EqualTo(128 + DaemonProcess.SIGINT), "as a shell expects");
        Assert.That(command.Errors, Does.Contain("l4balancer: rebalance: it goes on in the daemon; stop it with: l4balancer rebalance chat --stop"));
        long closed = (await ClosedAsync(scene))!.Value;
        await scene.UntilAsync(async () => await ClosedAsync(scene) > closed, "it goes on");

        (int code, string output) = await scene.CommandAsync("rebalance", "chat", "--stop");
        Assert.That(code, Is.Zero, output);
        Assert.That(output, Does.Match(@"^chat: the rebalance is stopped, \d+ connections were closed\n$"));
        Assert.That(await ClosedAsync(scene), Is.Null);
        await scene.Daemon.LineWithAsync("stopped the rebalance of pool chat");
        await scene.Daemon.LineWithAsync("pool chat: rebalance finished");
        Assert.That((await scene.ConnectionsAsync())[2], Is.LessThan(All / 3), "the others have stayed");

        Assert.That(await scene.CommandAsync("rebalance", "chat", "--stop"), Is.EqualTo((0, "chat: no rebalance is running\n")));
        (int missing, _) = await scene.SendAsync("DELETE", "/v1/pools/nope/rebalance");
        Assert.That(missing, Is.EqualTo(404));
    }

    [Test]
    public async Task Stopped_it_does_not_steer_new_connections_any_more()
    {
        await using PacedScene scene = await ScaledOutAsync("epoll");
        await scene.SendAsync("POST", "/v1/pools/chat/rebalance?rate=1");
        (int status, JsonElement end) = await scene.SendAsync("DELETE", "/v1/pools/chat/rebalance");
        Assert.That((status, end.GetProperty("was_running").GetBoolean()), Is.EqualTo((200, true)));
        await scene.Daemon.LineWithAsync("pool chat: rebalance finished");

        await scene.Clients.ComeAsync(scene.Listener, 30);
        await scene.UntilAsync(async () => (await scene.ConnectionsAsync()).Sum() == All + 30, "all are there");
        Assert.That((await scene.ConnectionsAsync())[2], Is.InRange(9, 14), "a third of those that come, by round-robin");
    }

    private static async Task<long?> ClosedAsync(PacedScene scene)
    {
        (_, JsonElement status) = await scene.SendAsync("GET", "/v1/status");
        JsonElement running = status.GetProperty("pools")[0].GetProperty("rebalance");
        if (running.ValueKind == JsonValueKind.Null)
        {
            return null;
        }

        Assert.That(running.GetProperty("closed").GetInt64(), Is.LessThanOrEqualTo(running.GetProperty("planned").GetInt64()));
        return running.GetProperty("closed").GetInt64();
    }

    // Half of them each, and then there is a third.
    private static async Task<PacedScene> ScaledOutAsync(string engine)
    {
        PacedScene scene = await PacedScene.StartAsync(engine, backends: 2, "balance = \"round-robin\"\nclose_rate = 10000");
        await scene.Clients.ComeAsync(scene.Listener, All);
        await scene.UntilAsync(async () => (await scene.ConnectionsAsync()).Sum() == All, "all are there");
        await scene.AddBackendAsync();
        return scene;
    }
}
