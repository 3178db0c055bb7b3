using System.Text.Json;

namespace L4Balancer.Tests.Pacing;

/// <summary>What becomes of the connections of a backend that leaves the file, over real daemons.</summary>
[Parallelizable(ParallelScope.Self)]
[Category(DaemonProcess.Category)]
[Category(DaemonProcess.OfLogic)]
internal sealed class RemovedBackendTests
{
    [Test]
    public async Task A_drain_that_runs_goes_on_when_its_backend_is_removed([Values("epoll", "managed")] string engine)
    {
        await using PacedScene scene = await PacedScene.StartAsync(engine, backends: 2);
        int meant = await ComeAsync(scene, 200);
        Task<(int Code, string Output)> drain = scene.CommandAsync("drain", "chat/ws2", "--rate", "50");
        await scene.UntilAsync(async () => await ClosedAsync(scene, "drain") > 0, "it has begun");
        await scene.RemoveBackendAsync();
        (int code, string output) = await drain.WaitAsync(DaemonProcess.Deadline);
        await scene.UntilAsync(async () => await ClosedAsync(scene, "drain") == meant, "all are closed");

        Assert.That((code, output), Is.EqualTo((0, output)));
        Assert.That(output, Does.EndWith($"\n{meant} connections were closed\n"));
        await scene.UntilAsync(async () => (await scene.ConnectionsAsync()).SequenceEqual([200]), "all are at the other one");
        Assert.That(scene.Clients.Resets, Is.Zero);
    }

    [Test]
    public async Task A_backend_that_has_left_is_seen_drained_and_closed_by_its_name()
    {
        await using PacedScene scene = await PacedScene.StartAsync("epoll", backends: 2);
        int meant = await ComeAsync(scene, 100);
        await scene.RemoveBackendAsync();
        (int status, JsonElement seen) = await scene.SendAsync("GET", "/v1/backends/chat/ws2");
        Assert.That((status, seen.GetProperty("connections").GetInt32()), Is.EqualTo((200, meant)));
        Assert.That(seen.GetProperty("in_configuration").GetBoolean(), Is.False);
        Assert.That((await scene.CommandAsync("backends")).Output, Does.Contain("chat/ws2"));
        (int code, string output) = await scene.CommandAsync("ready", "chat/ws2");
        Assert.That((code, output), Is.EqualTo((1, output)));
        Assert.That(output, Does.Contain("has left the configuration"));

        Task<(int Code, string Output)> drain = scene.CommandAsync("drain", "chat/ws2", "--rate", "5");
        await scene.UntilAsync(async () => await ClosedAsync(scene, "drain") > 0, "it has begun");
        Assert.That((await scene.CommandAsync("drain", "chat/ws2")).Code, Is.Zero, "which ends the one before");
        Assert.That((await drain.WaitAsync(DaemonProcess.Deadline)).Code, Is.Zero);
        int left = (await scene.SendAsync("GET", "/v1/backends/chat/ws2")).Answer.GetProperty("connections").GetInt32();
        Assert.That(left, Is.InRange(1, meant - 1));

        Assert.That((await scene.CommandAsync("close", "--backend", "chat/ws2", "--rate", "0")).Output, Does.EndWith(" connections are being closed\n"));
        await scene.UntilAsync(async () => (await scene.ConnectionsAsync()).SequenceEqual([100]), "none is left");
        Assert.That(await ClosedAsync(scene, "admin") + await ClosedAsync(scene, "drain"), Is.EqualTo(meant));
        Assert.That((await scene.CommandAsync("drain", "chat/ws2")).Code, Is.EqualTo(1), "it has no connections any more");
    }

    [Test]
    public async Task The_connections_of_a_removed_backend_are_closed_at_the_rate_where_the_pool_says_so([Values("epoll", "managed")] string engine)
    {
        await using PacedScene scene = await PacedScene.StartAsync(engine, backends: 2, "on_backend_removed = \"close\"\nclose_rate = 50");
        int meant = await ComeAsync(scene, 200);
        long begun = TimeProvider.System.GetTimestamp();
        await scene.RemoveBackendAsync();
        await scene.Daemon.LineWithAsync($"backend chat/ws2: {meant} connections closed (backend_removed)");

        Assert.That(TimeProvider.System.GetElapsedTime(begun), Is.GreaterThan(TimeSpan.FromSeconds((meant - 5) / 50.0)));
        await scene.UntilAsync(async () => await ClosedAsync(scene, "backend_removed") == meant, "their peers have closed too");
        Assert.That(scene.Clients.Resets, Is.Zero);
    }

    /// <returns>How many are at the second backend.</returns>
    private static async Task<int> ComeAsync(PacedScene scene, int count)
    {
        await scene.Clients.ComeAsync(scene.Listener, count);
        await scene.UntilAsync(async () => (await scene.ConnectionsAsync()).Sum() == count, "all are there");
        return (await scene.ConnectionsAsync())[1];
    }

    // A backend without connections is not listed any more, but keeps its counts.
    private static async Task<long> ClosedAsync(PacedScene scene, string reason)
    {
        (_, JsonElement backend) = await scene.SendAsync("GET", "/v1/backends/chat/ws2");
        return backend.GetProperty("closed").TryGetProperty(reason, out JsonElement count) ? count.GetInt64() : 0;
    }
}
