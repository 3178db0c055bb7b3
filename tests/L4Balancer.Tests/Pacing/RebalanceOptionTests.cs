using System.Diagnostics;

namespace L4Balancer.Tests.Pacing;

/// <summary>What an operator gives to a rebalance is kept to.</summary>
[CancelAfter(120_000)]
[Category(DaemonProcess.Category)]
[Parallelizable(ParallelScope.Self)]
internal sealed class RebalanceOptionTests
{
    private const int All = 90;

    [Test]
    public async Task The_tolerance_lets_backends_keep_more_than_their_share([Values("epoll", "managed")] string engine)
    {
        await using PacedScene scene = await ScaledOutAsync(engine);

        // Of 90 over three, 30 each: 45 is half more than its share.
        (int code, string output) = await scene.CommandAsync("rebalance", "chat", "--tolerance", "0.5");
        Assert.That((code, await scene.ConnectionsAsync()), Is.EqualTo((0, new[] { 45, 45, 0 })), output);

        (code, output) = await scene.CommandAsync("rebalance", "chat", "--tolerance", "0.2");
        Assert.That(code, Is.Zero, output);
        await scene.UntilAsync(async () => (await scene.ConnectionsAsync()).Sum() == All, "all are back");
        Assert.That((await scene.ConnectionsAsync())[..2], Is.EqualTo(new[] { 36, 36 }), output);
    }

    [Test]
    public async Task The_rate_is_kept_in_place_of_close_rate([Values("epoll", "managed")] string engine)
    {
        await using PacedScene scene = await ScaledOutAsync(engine);
        var watch = Stopwatch.StartNew();
        (int code, string output) = await scene.CommandAsync("rebalance", "chat", "--rate", "20");
        TimeSpan took = watch.Elapsed;

        await scene.UntilAsync(async () => (await scene.ConnectionsAsync()).Sum() == All, "all are back");
        Assert.That(code, Is.Zero, output);
        Assert.That(await scene.ConnectionsAsync(), Is.All.InRange(28, 31));
        Assert.That(took, Is.GreaterThan(TimeSpan.FromSeconds((await scene.ClosedAsync("rebalance") - 4) / 20.0)), "20 a second");
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
