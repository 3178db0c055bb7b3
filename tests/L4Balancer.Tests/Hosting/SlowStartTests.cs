using System.Net;
using System.Net.Sockets;
using L4Balancer.Tests.Truth;

namespace L4Balancer.Tests.Hosting;

/// <summary>A backend that comes into the file gets its share little by little, and all of it in the end.</summary>
[CancelAfter(120_000)]
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
