using System.Diagnostics;
using L4Balancer.Tests.Pacing;

namespace L4Balancer.Tests.Hosting;

/// <summary>How often a backend is asked, by its own count.</summary>
[CancelAfter(120_000)]
[Category(DaemonProcess.Category)]
internal sealed class ProbePaceTests
{
    [Test]
    public async Task A_backend_that_begins_to_fail_is_asked_at_the_fast_interval_and_then_no_more_for_the_down_interval()
    {
        await using PacedScene scene = await PacedScene.StartAsync(
            "epoll", backends: 1, "", "type = \"http\"\ninterval = \"1s\"\nfast_interval = \"50ms\"\ndown_interval = \"1h\"\ntimeout = \"20s\"\nfall = 8\njitter = 0\n");
        HoldingBackend backend = scene.Backends[0];
        await scene.UntilAsync(() => Task.FromResult(backend.Asked > 0), "it was asked");
        backend.Status = 503;
        await scene.UntilAsync(async () => await FailedAsync(scene) > 0, "the first has failed");
        var watch = Stopwatch.StartNew();
        await scene.Daemon.LineWithAsync("is degraded");
        TimeSpan took = watch.Elapsed;

        // One more may have been on its way when the eighth said so.
        await scene.UntilAsync(async () => await FailedAsync(scene) >= 8, "they are counted");
        int asked = backend.Asked;
        watch.Restart();
        await scene.UntilAsync(() => Task.FromResult(backend.Asked > asked + 1 || watch.Elapsed > TimeSpan.FromSeconds(1.2)), "a steady interval");
        Assert.That(took, Is.LessThan(TimeSpan.FromSeconds(5)), "0.35 s; 7 s at the steady interval");
        Assert.That(backend.Asked, Is.LessThanOrEqualTo(asked + 1));
        Assert.That(await scene.StatesAsync(), Is.EqualTo(new[] { "degraded" }));
    }

    [Test]
    public async Task A_backend_that_is_not_up_is_asked_at_the_down_interval()
    {
        await using PacedScene scene = await PacedScene.StartAsync(
            "epoll", backends: 1, "", "type = \"http\"\ninterval = \"400ms\"\nfast_interval = \"1h\"\ndown_interval = \"50ms\"\ntimeout = \"20s\"\nfall = 1\nrise = 1\n");
        HoldingBackend backend = scene.Backends[0];
        backend.Status = 503;
        await scene.Daemon.LineWithAsync("is degraded");

        int before = backend.Asked;
        var watch = Stopwatch.StartNew();
        await scene.UntilAsync(() => Task.FromResult(backend.Asked >= before + 20), "it is asked again and again");
        Assert.That(watch.Elapsed, Is.LessThan(TimeSpan.FromSeconds(6)), "1 s; 8 s at the steady interval");
    }

    private static async Task<long> FailedAsync(PacedScene scene) =>
        (await scene.BackendsAsync())[0].GetProperty("health").GetProperty("failed").GetInt64();
}
