using System.Diagnostics;
using System.Text.Json;

namespace L4Balancer.Tests.Pacing;

/// <summary>Closing all connections that match a filter, over real daemons, through the command and the API.</summary>
[Parallelizable(ParallelScope.Self)]
[Category(DaemonProcess.Category)]
[Category(DaemonProcess.OfLogic)]
internal sealed class BulkCloseTests
{
    [Test]
    public async Task The_connections_of_a_backend_are_closed_once_at_the_rate_of_the_pool([Values("epoll", "managed")] string engine)
    {
        await using PacedScene scene = await PacedScene.StartAsync(engine, backends: 2, "close_rate = 50");
        await scene.Clients.ComeAsync(scene.Listener, 200);
        await scene.UntilAsync(async () => (await scene.ConnectionsAsync()).Sum() == 200, "all are there");
        int meant = (await scene.ConnectionsAsync())[1];

        var watch = Stopwatch.StartNew();
        (int code, string output) = await scene.CommandAsync("close", "--backend", "chat/ws2");
        Assert.That((code, output), Is.EqualTo((0, $"{meant} connections are being closed\n")));
        await scene.Daemon.LineWithAsync($"{meant} connections closed (backend chat/ws2, admin)");
        TimeSpan took = watch.Elapsed;
        await scene.UntilAsync(async () => await scene.ClosedAsync("admin") == meant, "their peers have closed too");
        await scene.UntilAsync(async () => (await scene.ConnectionsAsync()).Sum() == 200, "all have come back");

        using (Assert.EnterMultipleScope())
        {
            Assert.That(took, Is.GreaterThan(TimeSpan.FromSeconds((meant - 5) / 50.0)), "fifty a second");
            Assert.That((await scene.ConnectionsAsync())[1], Is.GreaterThan(0), "who comes back is not closed again");
            Assert.That(await scene.ClosedAsync("admin"), Is.EqualTo(meant));
            Assert.That(scene.Clients.Resets, Is.Zero);
            Assert.That(scene.Daemon.Output, Has.Some.Match($@"closing {meant} connections \(backend chat/ws2\): requested by uid \d+"));
        }
    }

    [Test]
    public async Task Every_filter_that_is_given_has_to_match_and_a_rate_of_its_own_counts()
    {
        await using PacedScene scene = await PacedScene.StartAsync("epoll", backends: 1, "close_rate = 1");
        await scene.Clients.ComeAsync(scene.Listener, 40);
        await scene.UntilAsync(async () => (await scene.ConnectionsAsync()).Sum() == 40, "all are there");

        Assert.That(
            (await scene.CommandAsync("close", "--listener", "wss", "--source", "203.0.113.0/24")).Output,
            Is.EqualTo("0 connections are being closed\n"));
        (int status, JsonElement answer) = await scene.SendAsync("DELETE", "/v1/connections?listener=wss&source=127.0.0.0/8&rate=0");
        Assert.That((status, answer.ToString()), Is.EqualTo((202, """{"connections":40,"reason":"admin"}""")));
        await scene.UntilAsync(async () => await scene.ClosedAsync("admin") == 40, "at once, not in forty seconds");
    }
}
