using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;

namespace L4Balancer.Tests.Pacing;

/// <summary>Drain, rebalance, on_backend_down and max_age over real daemons, through the commands.</summary>
[NonParallelizable]
[Category(DaemonProcess.Category)]
[Category(DaemonProcess.OfLogic)]
internal sealed partial class PacedClosingTests
{
    [Test]
    public async Task After_a_scale_out_every_backend_gets_its_share_and_few_are_closed_for_it([Values("epoll", "managed")] string engine)
    {
        const int all = 6000;
        await using PacedScene scene = await PacedScene.StartAsync(engine, backends: 3);
        await scene.Clients.ComeAsync(scene.Listener, all);
        await scene.UntilAsync(async () => (await scene.ConnectionsAsync()).Sum() == all, "all are there");
        await scene.AddBackendAsync();
        int[] before = await scene.ConnectionsAsync();
        double fair = all / 4.0;
        double surplus = before.Sum(c => Math.Max(0, c - fair));

        var watch = Stopwatch.StartNew();
        (int code, string output) = await scene.CommandAsync("rebalance", "chat");
        TimeSpan took = watch.Elapsed;
        await scene.UntilAsync(async () => (await scene.ConnectionsAsync()).Sum() == all, "all are back");
        int[] after = await scene.ConnectionsAsync();
        long closed = await scene.ClosedAsync("rebalance");
        TestContext.Out.WriteLine($"{string.Join(' ', before)} -> {string.Join(' ', after)}: {closed} closed in {took.TotalSeconds:F1} s\n{output}");

        using (Assert.EnterMultipleScope())
        {
            Assert.That(code, Is.Zero, output);
            Assert.That(after, Is.All.InRange(fair * 0.95, fair * 1.05));
            Assert.That(closed, Is.LessThanOrEqualTo(1.3 * surplus));
            Assert.That(took, Is.GreaterThan(TimeSpan.FromSeconds((closed - 10) / 500.0)), "500 a second");
            Assert.That(took, Is.LessThan(TimeSpan.FromSeconds((closed / 500.0 * 1.3) + 4)));
            Assert.That(output, Does.Match(@"^chat: 6000 connections, \d+ in surplus, \d+ missing on other backends\n\d+ connections were closed\n$"));
            Assert.That(scene.Clients.Resets, Is.Zero);
        }
    }

    /// <summary>By the daemon's own record: the times of its access log.</summary>
    /// <param name="share">
    /// Of the windows. The managed engine, with so many connections, stands still once or twice in ten seconds while everything is
    /// collected, 94 to 98% of its windows held; what it missed it rightly does not make up for.
    /// </param>
    [TestCase("epoll", 0.95)]
    [TestCase("managed", 0.92)]
    [Retry(3)] // Other work on the machine can take the processors from the daemon alone; one correct run proves the rate.
    public async Task Five_thousand_go_at_the_rate_and_never_ahead_of_it(string engine, double share)
    {
        const int all = 5000;
        const int rate = 500;
        await using PacedScene scene = await PacedScene.StartAsync(engine, backends: 1);
        await scene.Clients.ComeAsync(scene.Listener, all);
        await scene.UntilAsync(async () => (await scene.ConnectionsAsync())[0] == all, "all are there");
        await scene.AddBackendAsync();

        // A connection ends when its peers, which are this process, have closed too: windows in which they were stalled say nothing of the rate.
        await using var stalls = new Stalls();
        (int code, string output) = await scene.CommandAsync("drain", "chat/ws1", "--rate", $"{rate}");
        Assert.That(code, Is.Zero, output);
        await scene.UntilAsync(() => Task.FromResult(Ends(scene).Count == all), "all are in the log");

        List<DateTimeOffset> ends = Ends(scene);
        ends.Sort();
        int[] windows = new int[(int)((ends[^1] - ends[0]).TotalMilliseconds / 100)];
        ends.Select(e => (int)((e - ends[0]).TotalMilliseconds / 100)).Where(w => w < windows.Length).ToList().ForEach(w => windows[w]++);
        var length = TimeSpan.FromMilliseconds(100);
        int[] judged = [.. windows.Index()
            .Where(w => !stalls.Touch(ends[0] + (length * w.Index), ends[0] + (length * (w.Index + 1)))).Select(static w => w.Item)];
        int kept = judged.Count(w => w is >= rate / 10 * 8 / 10 and <= rate / 10 * 12 / 10);
        DateTimeOffset begin = Times(scene, "closing 5000 connections").Single();
        double ahead = ends.Index().Max(e => ((double)(e.Index + 1) / rate) - (e.Item - begin).TotalSeconds);
        TestContext.Out.WriteLine($"{kept} of {judged.Length} of {windows.Length} windows: {string.Join(' ', windows)}; ahead by {ahead * 1000:F1} ms at most");

        Assert.That(judged.Length, Is.GreaterThanOrEqualTo(20), "the machine stalled most of the time");
        Assert.That(kept, Is.GreaterThanOrEqualTo(judged.Length * share));
        Assert.That(ahead, Is.LessThanOrEqualTo(0.010 + 0.001), "the log has milliseconds");
    }

    [Test]
    public async Task A_rebalance_ends_when_a_backend_goes_down()
    {
        await using PacedScene scene = await PacedScene.StartAsync("epoll", backends: 2, "close_rate = 10");
        await scene.Clients.ComeAsync(scene.Listener, 200);
        await scene.AddBackendAsync();

        Task<(int Code, string Output)> rebalance = scene.CommandAsync("rebalance", "chat");
        await scene.UntilAsync(async () => await scene.ClosedAsync("rebalance") > 0, "it has begun");
        scene.Backends[0].StopListening();
        (int code, string output) = await rebalance.WaitAsync(DaemonProcess.Deadline);

        Assert.That((code, output), Is.EqualTo((1, output)));
        Assert.That(output, Does.Contain("backend chat/ws1 is down"));
        Assert.That(await scene.ClosedAsync("rebalance"), Is.LessThan(40), "of 60 or so");
    }

    [Test]
    public async Task A_drain_within_a_time_closes_what_the_backend_holds_and_no_more([Values("epoll", "managed")] string engine)
    {
        await using PacedScene scene = await PacedScene.StartAsync(engine, backends: 2);
        await scene.Clients.ComeAsync(scene.Listener, 200);
        await scene.UntilAsync(async () => (await scene.ConnectionsAsync()).Sum() == 200, "all are there");
        int meant = (await scene.ConnectionsAsync())[1];

        var watch = Stopwatch.StartNew();
        (int code, string output) = await scene.CommandAsync("drain", "chat/ws2", "--within", "2s");
        TimeSpan took = watch.Elapsed;
        await scene.UntilAsync(async () => (await scene.ConnectionsAsync()).SequenceEqual([200, 0]), "all have moved");

        Assert.That((code, output), Is.EqualTo((0, output)));
        Assert.That(output, Does.Match($"^chat/ws2 is draining, weight 100, \\d+ connections\n{meant} connections were closed\n$"));
        Assert.That(took, Is.InRange(TimeSpan.FromSeconds(1.9), TimeSpan.FromSeconds(5)));
        Assert.That(await scene.ClosedAsync("drain"), Is.EqualTo(meant));
        Assert.That(await scene.MetricsAsync(), Does.Contain($"l4balancer_connections_shed_total{{backend=\"ws2\",pool=\"chat\",reason=\"drain\"}} {meant}"));
    }

    [Test]
    public async Task A_drain_ends_when_the_backend_is_set_ready()
    {
        await using PacedScene scene = await PacedScene.StartAsync("epoll", backends: 2);
        await scene.Clients.ComeAsync(scene.Listener, 100);

        Task<(int Code, string Output)> drain = scene.CommandAsync("drain", "chat/ws2", "--rate", "10");
        await scene.UntilAsync(async () => await scene.ClosedAsync("drain") > 0, "it has begun");
        Assert.That((await scene.CommandAsync("ready", "chat/ws2")).Code, Is.Zero);
        (int code, string output) = await drain.WaitAsync(DaemonProcess.Deadline);

        Assert.That(code, Is.EqualTo(1));
        Assert.That(output, Does.Contain("chat/ws2 was set to up meanwhile"));
        Assert.That((await scene.ConnectionsAsync())[1], Is.GreaterThan(20), "most stay");
    }

    [Test]
    public async Task Of_a_backend_that_goes_down_connections_are_closed_until_it_is_back([Values("epoll", "managed")] string engine)
    {
        await using PacedScene scene = await PacedScene.StartAsync(engine, backends: 2, "on_backend_down = \"close\"\nclose_rate = 10");
        await scene.Clients.ComeAsync(scene.Listener, 200);
        await scene.UntilAsync(async () => (await scene.ConnectionsAsync()).Sum() == 200, "all are there");

        scene.Backends[0].StopListening();
        await scene.UntilAsync(async () => await scene.ClosedAsync("backend_down") > 5, "it has begun");
        scene.Backends[0].Listen();
        await scene.Daemon.LineWithAsync("backend chat/ws1: ");
        await scene.Daemon.LineWithAsync("connections closed (backend_down)");
        long closed = await scene.ClosedAsync("backend_down");

        Assert.That(closed, Is.LessThan(80), "what was left stays");
        Assert.That((await scene.ConnectionsAsync())[0], Is.GreaterThan(10));
    }

    [Test]
    public async Task Of_a_backend_that_goes_down_connections_stay_where_nothing_else_is_said()
    {
        await using PacedScene scene = await PacedScene.StartAsync("epoll", backends: 2);
        await scene.Clients.ComeAsync(scene.Listener, 50);
        await scene.UntilAsync(async () => (await scene.ConnectionsAsync()).Sum() == 50, "all are there");
        int[] before = await scene.ConnectionsAsync();

        scene.Backends[0].StopListening();
        await scene.Daemon.LineWithAsync("is down");
        scene.Backends[0].Listen();
        await scene.Daemon.LineWithAsync("is up");

        Assert.That(await scene.ConnectionsAsync(), Is.EqualTo(before));
    }

    [Test]
    public async Task Connections_that_are_too_old_are_closed([Values("epoll", "managed")] string engine)
    {
        await using PacedScene scene = await PacedScene.StartAsync(engine, backends: 1, "max_age = \"1s\"");
        await scene.Clients.ComeAsync(scene.Listener, 20);

        await scene.UntilAsync(async () => await scene.ClosedAsync("max_age") >= 20, "they are closed, and come back");
        Assert.That(scene.Clients.Resets, Is.Zero);
    }

    private static List<DateTimeOffset> Ends(PacedScene scene) => Times(scene, "reason=drain");

    private static List<DateTimeOffset> Times(PacedScene scene, string what) =>
    [
        .. scene.Daemon.Output.Where(l => l.Contains(what, StringComparison.Ordinal))
            .Select(l => DateTimeOffset.Parse(Time().Match(l).Value, CultureInfo.InvariantCulture)),
    ];

    [GeneratedRegex(@"\d{4}-\d\d-\d\dT[0-9:.]+Z", RegexOptions.CultureInvariant)]
    private static partial Regex Time();
}
