using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace L4Balancer.Tests.Truth;

/// <summary>A hundred reloads under load: whoever is connected stays, whoever comes is served, and no count is lost.</summary>
[CancelAfter(180_000)]
[Category(DaemonProcess.Category)]
[Category(DaemonProcess.OfLogic)]
internal sealed class ReloadStormTests
{
    private const int Held = 5000;
    private const int Reloads = 100;
    private const int PerSecond = 1000;
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(20);

    [Test]
    public async Task A_hundred_reloads_refuse_and_reset_nobody([Values("epoll", "managed")] string engine, CancellationToken cancel)
    {
        ScriptedBackend[] backends = [new(), new(), new(), new()];
        string file = DaemonProcess.ConfigFileWith(Config(engine, backends, 0));
        await using DaemonProcess daemon = DaemonProcess.Start("run", "--config", file);
        await daemon.ReadyAsync();
        IPEndPoint front = await daemon.ListenerAsync("main");
        IPEndPoint changing = await daemon.ListenerAsync("changing");
        Socket[] held = new Socket[Held];
        await Parallel.ForEachAsync(Enumerable.Range(0, Held), cancel, async (i, _) =>
        {
            held[i] = await ScriptedClient.OpenAsync(front);
            await ScriptedClient.TalkAsync(held[i], Ending.ClientCloses, 10);
        });
        Exposition before = await ScrapeAsync(daemon);

        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        Task<int> coming = ComeAndGoAsync(front, changing, stop.Token);
        var watch = Stopwatch.StartNew();
        for (int i = 1; i <= Reloads; i++)
        {
            await File.WriteAllTextAsync(file, Config(engine, backends, i), cancel);
            daemon.Signal(DaemonProcess.SIGHUP);
            await daemon.LineWithAsync($", generation {i + 1}");
        }

        TimeSpan took = watch.Elapsed;
        await stop.CancelAsync();
        int came = await coming;
        await Task.WhenAll(held.Select(EndAsync));
        Exposition after = await AtRestAsync(daemon);
        TestContext.Out.WriteLine($"{Reloads} reloads in {took.TotalSeconds:F1} s, {came} new connections meanwhile");

        using (Assert.EnterMultipleScope())
        {
            Assert.That(came / took.TotalSeconds, Is.GreaterThan(PerSecond / 2.0), "there was load");
            Assert.That(before.Sum("connections_active"), Is.EqualTo(Held));
            Assert.That(after.Sum("connections_accepted_total"), Is.EqualTo(Held + came));
            Assert.That(after.Sum("connections_refused_total"), Is.Zero);
            Assert.That(after.By("reason", "connections_closed_total"), Is.EqualTo(new Dictionary<string, double> { ["client_closed"] = Held + came }));
            Assert.That(after.Sum("connections_active"), Is.Zero);
            Assert.That(after.Sum("config_generation"), Is.EqualTo(Reloads + 1));
        }

        foreach (ScriptedBackend backend in backends)
        {
            await backend.DisposeAsync();
        }
    }

    /// <summary>Opens, talks and closes so many a second until it is stopped; every one must succeed.</summary>
    private static async Task<int> ComeAndGoAsync(IPEndPoint front, IPEndPoint changing, CancellationToken stop)
    {
        List<Task<int>> all = [];
        using var timer = new PeriodicTimer(Tick);
        var watch = Stopwatch.StartNew();
        try
        {
            while (await timer.WaitForNextTickAsync(stop))
            {
                while (all.Count < watch.Elapsed.TotalSeconds * PerSecond)
                {
                    all.Add(ScriptedClient.PlayAsync(all.Count % 2 == 0 ? front : changing, Ending.ClientCloses, 200));
                }
            }
        }
        catch (OperationCanceledException)
        {
            // Enough.
        }

        await Task.WhenAll(all);
        return all.Count;
    }

    private static async Task EndAsync(Socket socket)
    {
        socket.Shutdown(SocketShutdown.Send);
        Assert.That(await ScriptedClient.EndAsync(socket), Is.EqualTo(SocketError.Success), "it was untouched until now");
        socket.Dispose();
    }

    private static async Task<Exposition> AtRestAsync(DaemonProcess daemon)
    {
        Exposition at = await ScrapeAsync(daemon);
        var limit = Stopwatch.StartNew();
        while (limit.Elapsed < DaemonProcess.Deadline && at.Sum("connections_active") > 0)
        {
            at = await ScrapeAsync(daemon);
        }

        return at;
    }

    private static async Task<Exposition> ScrapeAsync(DaemonProcess daemon)
    {
        using var http = new HttpClient();
        return new Exposition(await http.GetStringAsync(await daemon.MetricsAsync()));
    }

    /// <summary>Each number gives another set of backends, other weights, and another listener.</summary>
    private static string Config(string engine, ScriptedBackend[] backends, int number)
    {
        var text = new StringBuilder();
        string more = number % 2 == 1 ? ", \"127.0.0.2:0\"" : "";
        text.AppendLine(CultureInfo.InvariantCulture, $"""
            [balancer]
            engine = "{engine}"
            [admin]
            socket = ""
            [metrics]
            listen = "127.0.0.1:0"
            [[listeners]]
            name = "main"
            bind = ["127.0.0.1:0"]
            pool = "chat"
            [[listeners]]
            name = "changing"
            bind = ["127.0.0.3:0"{more}]
            pool = "chat"
            backlog = {1000 + number}
            user_timeout = "{number + 1}s"
            [[pools]]
            name = "chat"
            health.type = "none"
            """);
        foreach ((int index, ScriptedBackend backend) in backends.Index().Where(b => b.Index == 0 || b.Index % 3 != number % 3))
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"""
                [[pools.backends]]
                name = "b{index}"
                address = "{backend.Endpoint}"
                weight = {50 + (number * (index + 1) % 100)}
                """);
        }

        return text.ToString();
    }
}
