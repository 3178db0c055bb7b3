using System.Text.Json;
using L4Balancer.Tests.Pacing;
using L4Balancer.Tests.Truth;

namespace L4Balancer.Tests.Hosting;

/// <summary>A pool whose last backend an operator takes out is reported like one whose backends have died.</summary>
[CancelAfter(120_000)]
[Category(DaemonProcess.Category)]
[Parallelizable(ParallelScope.Self)]
internal sealed class EmptiedPoolTests
{
    private const string Dead = "pool chat has no backend that is up";

    [Test]
    public async Task The_command_the_log_the_API_and_the_metrics_report_it([Values("maint", "drain")] string how)
    {
        await using PacedScene scene = await PacedScene.StartAsync("epoll", backends: 2);
        Assert.That((await scene.CommandAsync(how, "chat/ws1")).Output, Does.Not.Contain("warning"), "another one serves");
        Assert.That(scene.Daemon.Output, Has.None.Contains(Dead));

        (int code, string output) = await scene.CommandAsync(how, "chat/ws2");
        Assert.That(code, Is.Zero);
        Assert.That(output, Does.Contain($"l4balancer: {how}: warning: ws2 was the last backend of chat that took connections"));
        await scene.Daemon.LineWithAsync(Dead);
        (_, JsonElement status) = await scene.SendAsync("GET", "/v1/status");
        Assert.That(status.GetProperty("pools")[0].GetProperty("takes_connections").GetBoolean(), Is.False);
        Assert.That((await scene.CommandAsync("status")).Output, Does.Contain("no backend takes connections"));
        Assert.That((await scene.BackendsAsync()).Select(b => b.GetProperty("takes_connections").GetBoolean()), Is.All.False);
        var metrics = new Exposition(await scene.MetricsAsync());
        Assert.That((metrics.Sum("backend_state", "state=up"), metrics.Sum("backend_up")), Is.EqualTo((0, 2)), "they are healthy, and take none");

        Assert.That((await scene.CommandAsync(how, "chat/ws1")).Output, Does.Contain("warning: no backend of chat takes connections"));
        Assert.That(scene.Daemon.Output.Count(l => l.Contains(Dead, StringComparison.Ordinal)), Is.EqualTo(1), "once");

        (code, output) = await scene.CommandAsync("ready", "chat/ws2");
        Assert.That((code, output), Is.EqualTo((0, "chat/ws2 is up, weight 100, 0 connections\n")));
        await scene.Daemon.LineWithAsync("pool chat has a backend again: new connections are served");
        await scene.CommandAsync(how, "chat/ws2");
        await scene.Daemon.LineWithAsync(Dead, count: 2);
    }

    [Test]
    public async Task So_is_one_whose_last_backend_gets_the_weight_zero()
    {
        await using PacedScene scene = await PacedScene.StartAsync("managed", backends: 1);
        Assert.That((await scene.CommandAsync("weight", "chat/ws1", "0")).Output, Does.Contain("ws1 was the last backend of chat"));
        await scene.Daemon.LineWithAsync(Dead);
        var metrics = new Exposition(await scene.MetricsAsync());
        Assert.That((metrics.Sum("backend_state", "state=up"), metrics.Sum("backend_weight")), Is.EqualTo((1, 0)), "what the alert is made of");
        Assert.That((await scene.CommandAsync("weight", "chat/ws1", "10")).Output, Does.Not.Contain("warning"));
        Assert.That((await scene.CommandAsync("weight", "chat/ws1", "0")).Code, Is.Zero);
        await scene.Daemon.LineWithAsync(Dead, count: 2);
    }
}
