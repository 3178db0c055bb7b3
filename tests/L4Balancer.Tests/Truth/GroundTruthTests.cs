using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace L4Balancer.Tests.Truth;

/// <summary>What the daemon says about itself equals what happened, to the last connection and the last byte.</summary>
[CancelAfter(300_000)]
[Category(DaemonProcess.Category)]
[Category(DaemonProcess.OfLogic)]
internal sealed class GroundTruthTests
{
    private const int Scale = 100;
    private const int Concurrency = 64;
    private const int Held = 20;
    private const int Victims = 15 * Scale;

    private static readonly (Ending Ending, int Count)[] Mixed =
    [
        (Ending.ClientCloses, 400 * Scale), (Ending.BackendCloses, 200 * Scale), (Ending.ClientResets, 150 * Scale),
        (Ending.BackendResets, 100 * Scale),
    ];

    private readonly Random _random = new(20);
    private long _bytes;

    [Test]
    public async Task Every_counter_equals_what_happened_to_a_hundred_thousand_connections([Values("epoll", "managed")] string engine)
    {
        ScriptedBackend[] backends = [new(), new(), new()];
        await using var victim = new ScriptedBackend();
        using var silent = new SilentPort();
        await using DaemonProcess daemon = DaemonProcess.Run(Config(engine, backends, victim, silent));
        await daemon.ReadyAsync();
        var fronts = new Dictionary<string, IPEndPoint>();
        foreach (string name in (string[])["mixed", "victim", "dead", "none", "limit", "idle", "silent", "patient"])
        {
            fronts[name] = await daemon.ListenerAsync(name);
        }

        _bytes = 0;
        int divisor = engine == "epoll" ? 1 : 10;
        var watch = Stopwatch.StartNew();
        await ManyAsync(Plan(divisor), (c, _) => PlayAsync(fronts["mixed"], c.Ending, c.Payload));
        await ManyAsync(Enumerable.Range(0, 50 * Scale / divisor), (_, _) => ScriptedClient.BeRefusedAsync(fronts["dead"]));
        await ManyAsync(Enumerable.Range(0, 30 * Scale / divisor), (_, _) => ScriptedClient.BeRefusedAsync(fronts["none"]));
        await LimitAsync(fronts["limit"], 40 * Scale / divisor);
        await KillAsync(fronts["victim"], victim, Victims / divisor);
        await ManyAsync(Enumerable.Range(0, 10 * Scale / divisor), (_, _) => IdleAsync(fronts["idle"]), concurrency: 500);
        await ManyAsync(Enumerable.Range(0, 3 * Scale / divisor), (_, _) => ScriptedClient.BeRefusedAsync(fronts["silent"]), concurrency: 300);
        await ResetWhilePendingAsync(daemon, fronts["patient"], 2 * Scale / divisor);
        Exposition at = await AtRestAsync(daemon);
        TestContext.Out.WriteLine($"{at.Sum("connections_accepted_total"):F0} connections in {watch.Elapsed.TotalSeconds:F0} s");

        using (Assert.EnterMultipleScope())
        {
            Refused(at, "mixed");
            Closed(at, "mixed", [.. Mixed.Select(m => (NameOf(m.Ending), m.Count / divisor))]);
            Assert.That(at.Sum("connect_attempts_total", "pool=mixed"), Is.EqualTo(Mixed.Sum(m => m.Count) / divisor));
            Assert.That(at.Sum("relayed_bytes_total", "pool=mixed", "direction=to_backend"), Is.EqualTo(_bytes));
            Assert.That(at.Sum("relayed_bytes_total", "pool=mixed", "direction=to_client"), Is.EqualTo(_bytes));
            Refused(at, "dead", ("connect_failed", 50 * Scale / divisor));
            Assert.That(at.Sum("connect_failures_total", "pool=dead", "reason=connect_failed"), Is.EqualTo(50 * Scale / divisor));
            Refused(at, "none", ("no_backend", 30 * Scale / divisor));
            Refused(at, "limit", ("limit", 40 * Scale / divisor));
            Closed(at, "held", ("client_closed", Held));
            Refused(at, "victim", ("connect_failed", Victims / divisor / 3));
            Closed(at, "victim", ("backend_reset", Victims / divisor));
            Closed(at, "idle", ("idle_timeout", 10 * Scale / divisor));
            Refused(at, "silent", ("connect_timeout", 3 * Scale / divisor));
            Assert.That(at.Sum("connect_failures_total", "pool=silent", "reason=connect_timeout"), Is.EqualTo(3 * Scale / divisor));
            Refused(at, "patient", ("client_reset", 2 * Scale / divisor));

            Assert.That(at.Sum("connections_pending"), Is.Zero);
            Assert.That(at.Sum("connections_active"), Is.Zero);
            Assert.That(
                at.Sum("connections_accepted_total"), Is.EqualTo(at.Sum("connections_refused_total") + at.Sum("connections_closed_total")));
            Assert.That(at.Sum("connect_duration_seconds_count"), Is.EqualTo(at.Sum("connections_closed_total")), "each was established once");
            Assert.That(at.Sum("connection_duration_seconds_count"), Is.EqualTo(at.Sum("connections_closed_total")));
        }

        foreach (ScriptedBackend backend in backends)
        {
            await backend.DisposeAsync();
        }
    }

    private static string NameOf(Ending ending) => ending switch
    {
        Ending.ClientCloses => "client_closed",
        Ending.BackendCloses => "backend_closed",
        Ending.ClientResets => "client_reset",
        _ => "backend_reset",
    };

    private static void Refused(Exposition at, string listener, params (string Reason, int Count)[] expected) => Assert.That(
        at.By("reason", "connections_refused_total", $"listener={listener}"),
        Is.EqualTo(expected.ToDictionary(e => e.Reason, e => (double)e.Count)), $"refused at {listener}");

    private static void Closed(Exposition at, string pool, params (string Reason, int Count)[] expected) => Assert.That(
        at.By("reason", "connections_closed_total", $"pool={pool}"),
        Is.EquivalentTo(expected.ToDictionary(e => e.Reason, e => (double)e.Count)), $"closed in {pool}");

    private List<(Ending Ending, int Payload)> Plan(int divisor)
    {
        List<(Ending, int)> plan = [];
        foreach ((Ending ending, int count) in Mixed)
        {
            plan.AddRange(Enumerable.Range(0, count / divisor).Select(_ => (ending, _random.Next(0, 3000))));
        }

        (Ending, int)[] shuffled = [.. plan];
        _random.Shuffle(shuffled);
        return [.. shuffled];
    }

    private async Task PlayAsync(IPEndPoint front, Ending ending, int payload) =>
        Interlocked.Add(ref _bytes, await ScriptedClient.PlayAsync(front, ending, payload));

    private static async Task IdleAsync(IPEndPoint front)
    {
        using Socket socket = await ScriptedClient.OpenAsync(front);
        await ScriptedClient.TalkAsync(socket, Ending.Neither, 10);
        Assert.That(await ScriptedClient.EndAsync(socket), Is.EqualTo(SocketError.Success), "closed in good order");
    }

    private static async Task LimitAsync(IPEndPoint front, int refused)
    {
        Socket[] held = await HoldAsync(front, Held);
        await ManyAsync(Enumerable.Range(0, refused), (_, _) => ScriptedClient.BeRefusedAsync(front));
        Array.ForEach(held, s => s.Dispose());
    }

    private static async Task KillAsync(IPEndPoint front, ScriptedBackend victim, int count)
    {
        Socket[] held = await HoldAsync(front, count);
        victim.Kill();
        foreach (Socket socket in held)
        {
            Assert.That(await ScriptedClient.EndAsync(socket), Is.EqualTo(SocketError.ConnectionReset));
            socket.Dispose();
        }

        await ManyAsync(Enumerable.Range(0, count / 3), (_, _) => ScriptedClient.BeRefusedAsync(front));
    }

    private static async Task ResetWhilePendingAsync(DaemonProcess daemon, IPEndPoint front, int count)
    {
        Socket[] pending = new Socket[count];
        await ManyAsync(Enumerable.Range(0, count), async (i, _) => pending[i] = await ScriptedClient.OpenAsync(front));
        while ((await ScrapeAsync(daemon)).Sum("connections_pending", "listener=patient") < count)
        {
            // They are accepted one after the other; the test's own limit bounds this.
        }

        Array.ForEach(pending, ScriptedBackend.Reset);
    }

    private static async Task<Socket[]> HoldAsync(IPEndPoint front, int count)
    {
        var held = new ConcurrentBag<Socket>();
        await ManyAsync(Enumerable.Range(0, count), async (_, _) =>
        {
            Socket socket = await ScriptedClient.OpenAsync(front);
            await ScriptedClient.TalkAsync(socket, Ending.Neither, 100);
            held.Add(socket);
        });
        return [.. held];
    }

    private static Task ManyAsync<T>(IEnumerable<T> items, Func<T, CancellationToken, Task> play, int concurrency = Concurrency) =>
        Parallel.ForEachAsync(
            items, new ParallelOptions { MaxDegreeOfParallelism = concurrency }, async (item, cancel) => await play(item, cancel));

    // Both sides of a connection end at their own time; what is asked is what stands when nothing moves any more.
    private static async Task<Exposition> AtRestAsync(DaemonProcess daemon)
    {
        Exposition at = await ScrapeAsync(daemon);
        var limit = Stopwatch.StartNew();
        while (limit.Elapsed < DaemonProcess.Deadline
            && (at.Sum("connections_pending") > 0 || at.Sum("connections_active") > 0
                || at.Sum("connection_duration_seconds_count") < at.Sum("connections_closed_total")))
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

    private static string Config(string engine, ScriptedBackend[] backends, ScriptedBackend victim, SilentPort silent)
    {
        string mixed = string.Concat(backends.Select((b, i) => Backend($"b{i}", b.Endpoint)));
        return $"""
            [balancer]
            engine = "{engine}"
            access_log = "all"
            [admin]
            socket = ""
            [metrics]
            listen = "127.0.0.1:0"
            """
            + Pair("mixed", "", mixed) + Pair("victim", "", Backend("b", victim.Endpoint))
            + Pair("dead", "", Backend("b", new IPEndPoint(IPAddress.Loopback, 1)))
            + Pair("none", "", Backend("b", victim.Endpoint) + "weight = 0\n")
            + Pair("idle", "idle_timeout = \"500ms\"", mixed)
            + Pair("silent", "connect_timeout = \"300ms\"", Backend("b", silent.Endpoint))
            + Pair("patient", "connect_timeout = \"10m\"", Backend("b", silent.Endpoint))
            + $"\n[[listeners]]\nname = \"limit\"\nbind = [\"127.0.0.1:0\"]\npool = \"held\"\nmax_connections = {Held}\n"
            + $"[[pools]]\nname = \"held\"\nhealth.type = \"none\"\n{mixed}";
    }

    // Passive detection would spare most clients the attempt; here every one is to make it.
    private static string Pair(string name, string settings, string backends) =>
        $"\n[[listeners]]\nname = \"{name}\"\nbind = [\"127.0.0.1:0\"]\npool = \"{name}\"\n"
        + $"[[pools]]\nname = \"{name}\"\nconnect_attempts = 1\nhealth.type = \"none\"\npassive.failures = 0\n{settings}\n{backends}";

    private static string Backend(string name, IPEndPoint endpoint) =>
        $"[[pools.backends]]\nname = \"{name}\"\naddress = \"{endpoint}\"\n";
}
