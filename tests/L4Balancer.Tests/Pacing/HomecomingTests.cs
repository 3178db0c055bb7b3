namespace L4Balancer.Tests.Pacing;

/// <summary>After a failover to a backup, over real daemons: how its connections return to the primaries.</summary>
[Parallelizable(ParallelScope.Self)]
[Category(DaemonProcess.Category)]
[Category(DaemonProcess.OfLogic)]
internal sealed class HomecomingTests
{
    [TestCase("epoll", "ring")]
    [TestCase("epoll", "maglev")]
    [TestCase("epoll", "least-connections")]
    [TestCase("managed", "least-connections")]
    public async Task A_rebalance_returns_to_the_primaries_what_the_backup_holds(string engine, string balance)
    {
        await using PacedScene scene = await PacedScene.StartWithBackupAsync(engine, $"balance = \"{balance}\"\nclose_rate = 100");
        Assert.That((await scene.CommandAsync("maint", "chat/ws1")).Code, Is.Zero);
        Assert.That((await scene.CommandAsync("maint", "chat/ws2")).Code, Is.Zero);
        await scene.Clients.ComeAsync(scene.Listener, 60);
        await scene.UntilAsync(async () => (await scene.ConnectionsAsync()).SequenceEqual([0, 0, 60]), "all are at the backup");
        await scene.CommandAsync("ready", "chat/ws1");
        await scene.CommandAsync("ready", "chat/ws2");
        Assert.That(await scene.ConnectionsAsync(), Is.EqualTo(new[] { 0, 0, 60 }), "they stay until somebody asks");
        Assert.That(await scene.MetricsAsync(), Does.Contain("l4balancer_backend_share_ratio{backend=\"ws3\",pool=\"chat\"} 3\n"));

        (int code, string output) = await scene.CommandAsync("rebalance", "chat");
        await scene.UntilAsync(async () => (await scene.ConnectionsAsync()).SequenceEqual([30, 30, 0]), "they have come home");

        Assert.That((code, output), Is.EqualTo((0, output)));
        Assert.That(output, Is.EqualTo("chat: 60 connections, 60 in surplus, 60 missing on other backends\n60 connections were closed\n"));
        Assert.That(scene.Clients.Resets, Is.Zero);
        Assert.That(await scene.MetricsAsync(), Does.Contain("l4balancer_backend_share_ratio{backend=\"ws3\",pool=\"chat\"} NaN\n"));
    }
}
