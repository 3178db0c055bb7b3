using System.Net;
using System.Net.Sockets;
using L4Balancer.Tests.Pacing;
using L4Balancer.Tests.Truth;

namespace L4Balancer.Tests.Hosting;

/// <summary>A backend that comes into the file gets its share little by little, and all of it in the end.</summary>
[CancelAfter(120_000)]
[Category(DaemonProcess.Category)]
[Parallelizable(ParallelScope.Self)]
internal sealed class SlowStartTests
{
    [Test]
    public async Task A_backend_that_is_new_in_the_file_is_not_flooded()
    {
        await using var first = new ScriptedBackend();
        await using var second = new ScriptedBackend();
        string file = DaemonProcess.ConfigFileWith(Config(first.Endpoint));
        await using DaemonProcess daemon = DaemonProcess.Start("run", "--config", file);
        await daemon.ReadyAsync();
        IPEndPoint front = await daemon.ListenerAsync("wss");
        Assert.That(await ShareOfSecondAsync(daemon, front), Is.Zero);

        await File.WriteAllTextAsync(file, Config(first.Endpoint, second.Endpoint));
        daemon.Signal(DaemonProcess.SIGHUP);
        await daemon.LineWithAsync("generation 2");
        double early = await ShareOfSecondAsync(daemon, front);
        double late = early;
        while (late < 0.4)
        {
            // Until it has its half; the test's own limit bounds this.
            late = await ShareOfSecondAsync(daemon, front);
        }

        Assert.That(early, Is.LessThan(0.2), "ten seconds to the half");
    }

    [Test]
    public async Task A_backend_that_comes_back_is_not_flooded_and_at_the_start_all_have_their_share()
    {
        const string pool = "balance = \"round-robin\"\nslow_start = \"2m\"";
        await using PacedScene scene = await PacedScene.StartAsync(
            "epoll", backends: 2, pool, "interval = \"50ms\"\ndown_interval = \"50ms\"\nrise = 1\nfall = 2\n");
        await scene.UntilAsync(
            async () => (await scene.BackendsAsync()).All(b => b.GetProperty("health").GetProperty("succeeded").GetInt64() > 0), "they were probed");
        await scene.Clients.ComeAsync(scene.Listener, 100);
        await scene.UntilAsync(async () => (await scene.ConnectionsAsync()).SequenceEqual([50, 50]), "each has its half");

        scene.Backends[0].StopListening();
        string backend = $"backend chat/ws1 ({scene.Backends[0].Endpoint})";
        await scene.Daemon.LineWithAsync($"{backend} is down");
        scene.Backends[0].Listen();
        await scene.Daemon.LineWithAsync($"{backend} is up");
        await scene.Clients.ComeAsync(scene.Listener, 100);
        await scene.UntilAsync(async () => (await scene.ConnectionsAsync()).Sum() == 200, "all are there");

        Assert.That((await scene.ConnectionsAsync())[0], Is.LessThan(70), "two minutes to the half");
    }

    private static async Task<double> ShareOfSecondAsync(DaemonProcess daemon, IPEndPoint front)
    {
        Exposition before = await ScrapeAsync(daemon);
        for (int i = 0; i < 200; i++)
        {
            await ScriptedClient.PlayAsync(front, Ending.ClientCloses, 10);
        }

        Exposition after = await ScrapeAsync(daemon);
        return (after.Sum("connect_attempts_total", "backend=b1") - before.Sum("connect_attempts_total", "backend=b1")) / 200;
    }

    private static async Task<Exposition> ScrapeAsync(DaemonProcess daemon)
    {
        using var http = new HttpClient();
        return new Exposition(await http.GetStringAsync(await daemon.MetricsAsync()));
    }

    private static string Config(params IPEndPoint[] backends) => $"""
        [admin]
        socket = ""
        [metrics]
        listen = "127.0.0.1:0"
        [[listeners]]
        name = "wss"
        bind = ["127.0.0.1:0"]
        pool = "chat"
        [[pools]]
        name = "chat"
        slow_start = "10s"
        health.type = "none"

        """ + string.Concat(backends.Select((b, i) => $"[[pools.backends]]\nname = \"b{i}\"\naddress = \"{b}\"\n"));
}
