using System.Diagnostics;
using System.Text.Json;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Routing;
using L4Balancer.Etcd;

namespace L4Balancer.Tests.Fleet;

/// <summary>
/// Three balancers as processes and a cluster of three members of etcd. The tests share them and run in their order; each leaves the fleet whole.
/// </summary>
[Category(DaemonProcess.Category)]
[CancelAfter(300_000)]
[Parallelizable(ParallelScope.Self)]
internal sealed partial class FleetTests
{
    private static readonly TimeSpan ASecond = TimeSpan.FromSeconds(1);

    private FleetScene _scene = null!;

    private FleetMemberProcess[] Balancers => _scene.Balancers;

    [OneTimeSetUp]
    public async Task Start() => _scene = await FleetScene.StartAsync();

    [OneTimeTearDown]
    public async Task Stop()
    {
        if (_scene is not null)
        {
            await _scene.DisposeAsync();
        }
    }

    [Test]
    [Order(1)]
    public async Task All_choose_the_same_backend_for_100_000_tuples()
    {
        await SettingAsync(Balancers[1], "PUT", "rooms/r7/weight", """{"weight":400}""");
        await _scene.AllAsync(async b => await b.WeightOfAsync("rooms/r7") == 400, "the weight");
        await AgreeAsync();
        RoutingSnapshot[] snapshots = [.. Balancers.Select(b => SnapshotOf(b, 400))];
        string[] expected = [.. snapshots.Select(s => s.Pools[1].HashOfTables().ToString("x16", null)).Distinct()];
        Assert.That(expected, Has.Length.EqualTo(1));

        // Views are published at most about once a second.
        await _scene.AllAsync(async b => RingsOf(await b.FleetAsync(), "rooms").SequenceEqual(expected), "the daemons have these very tables");
        Assert.That(snapshots[0].Pools[1].Backends[0].Name, Is.Not.EqualTo(snapshots[1].Pools[1].Backends[0].Name), "the files differ in their order");
        var random = new Random(7);
        int different = 0;
        for (int i = 0; i < 100_000; i++)
        {
            var tuple = new FourTuple(
                new Endpoint(HostAddress.FromV4((uint)random.Next()), (ushort)random.Next(1, 65536)), new Endpoint(HostAddress.FromV4(0x0A000001), 443));
            string[] chosen = [.. snapshots.SelectMany(s => s.Pools.Select(p => p.Backends[p.Pick(tuple, [])].Name))];
            different += chosen.Chunk(2).Select(c => (c[0], c[1])).Distinct().Count() == 1 ? 0 : 1;
        }

        Assert.That(different, Is.Zero);
        await SettingAsync(Balancers[0], "PUT", "rooms/r7/weight", """{"weight":57}""");
        await _scene.AllAsync(async b => await b.WeightOfAsync("rooms/r7") == 57, "the weight of the file");
    }

    [Test]
    [Order(2)]
    public async Task A_drain_on_one_holds_on_all_within_a_second_and_ready_lifts_it_from_all()
    {
        List<TimeSpan> drains = [];
        List<TimeSpan> lifts = [];
        for (int i = 0; i < 5; i++)
        {
            FleetMemberProcess asked = Balancers[i % 3];
            var since = Stopwatch.StartNew();
            JsonElement answer = await asked.SendAsync("POST", "/v1/backends/chat/ws1/drain");
            await _scene.AllAsync(async b => await b.StateOfAsync("chat/ws1") == "draining", "the drain");
            drains.Add(since.Elapsed);
            Assert.That(answer.GetProperty("mode_set").GetProperty("shared").GetBoolean(), Is.True, answer.ToString());
            Assert.That(answer.TryGetProperty("warning", out _), Is.False);

            since.Restart();
            await Balancers[(i + 1) % 3].SendAsync("POST", "/v1/backends/chat/ws1/ready");
            await _scene.AllAsync(async b => await b.StateOfAsync("chat/ws1") == "up", "ready");
            lifts.Add(since.Elapsed);
        }

        Say($"a drain holds on all after {Shown(drains)}, ready after {Shown(lifts)}");
        Assert.That(drains.Min(), Is.LessThan(ASecond));
        Assert.That(lifts.Min(), Is.LessThan(ASecond));
        Assert.That(drains.Concat(lifts).Max(), Is.LessThan(TimeSpan.FromSeconds(10)));
        Assert.That(Balancers[2].Daemon.Output, Has.Some.Contains("on lb1").And.Some.Contains("draining"), "the log says who, and where");
    }

    [Test]
    [Order(3)]
    public async Task What_is_set_for_a_time_is_lifted_everywhere_when_it_ends()
    {
        await Balancers[0].SendAsync("POST", "/v1/backends/chat/ws2/maint?until=1s");
        await _scene.AllAsync(async b => await b.StateOfAsync("chat/ws2") == "maintenance", "maintenance");
        await _scene.AllAsync(async b => await b.StateOfAsync("chat/ws2") == "up", "the end");
        await UntilAsync(async () => (await KeysAsync("intent/chat/ws2")).Length == 0, "the key is removed");
    }

    [Test]
    [Order(4)]
    public async Task Health_by_vote_agrees_within_a_second_of_the_moment_when_half_hold_a_backend_down()
    {
        JudgedBackend judged = _scene.Backends[0];
        List<TimeSpan> agreements = [];
        for (int i = 0; i < 3; i++)
        {
            judged.Deny("lb1");
            await UntilAsync(async () => await OwnViewAsync("lb1") != "up", "lb1 says what it sees");
            Assert.That(await Task.WhenAll(Balancers.Select(b => b.StateOfAsync("chat/ws1"))), Is.All.EqualTo("up"), "one of three does not take it down");
            Assert.That((await Balancers[2].FleetAsync()).GetProperty("disagreement").GetProperty("health").GetInt32(), Is.EqualTo(1));

            judged.Deny("lb2");
            await UntilAsync(() => Task.FromResult(judged.DeniedAt("lb2", FleetScene.Fall) is not null), "the probes of lb2 fail");
            await _scene.AllAsync(async b => await b.StateOfAsync("chat/ws1") is "down" or "degraded", "all hold it down");
            agreements.Add(Stopwatch.GetElapsedTime(judged.DeniedAt("lb2", FleetScene.Fall)!.Value));

            // The last backend that answers is kept, even if both of the others cannot reach it either.
            if (i == 0)
            {
                _scene.Backends[1].Deny("lb1");
                _scene.Backends[1].Deny("lb2");
                await UntilAsync(async () => await OwnViewAsync("lb2", "chat/ws2") != "up", "lb2 says what it sees");
                await FleetScene.AllAsync([Balancers[2]], async b => await b.StateOfAsync("chat/ws2") == "up" && await b.StateOfAsync("chat/ws1") == "up", "lb3 keeps them");
                _scene.Backends[1].Allow("lb1");
                _scene.Backends[1].Allow("lb2");
            }

            judged.Allow("lb1");
            judged.Allow("lb2");
            await _scene.AllAsync(async b => await b.StateOfAsync("chat/ws1") == "up" && await b.StateOfAsync("chat/ws2") == "up", "all is well again");
            await AgreeAsync();
        }

        Say($"health agrees {Shown(agreements)} after the probe that makes half");
        Assert.That(agreements.Min(), Is.LessThan(ASecond));
    }

    [Test]
    [Order(7)]
    public async Task A_balancer_that_is_killed_leaves_within_its_lease_and_gets_the_intent_back()
    {
        Balancers[2].Daemon.Signal(DaemonProcess.SIGKILL);
        var since = Stopwatch.StartNew();
        await FleetScene.AllAsync(Balancers[..2], async b => (await b.MembersAsync()).Length == 2, "lb3 is gone");
        Say($"a killed balancer is gone after {since.Elapsed.TotalMilliseconds:0} ms, its lease is {FleetScene.Lease.TotalSeconds} s");

        // Without its state file: what holds comes from etcd.
        await Balancers[2].Daemon.DisposeAsync();
        File.Delete(Balancers[2].StatePath);
        await Balancers[2].StartAsync();
        await FleetScene.AllAsync([Balancers[2]], async b => await b.StateOfAsync("chat/ws1") == "draining", "the drain of before");
        await AgreeAsync();
    }

    [Test]
    [Order(8)]
    public async Task A_balancer_that_stands_still_leaves_and_comes_back()
    {
        Balancers[2].Daemon.Signal(DaemonProcess.SIGSTOP);
        await FleetScene.AllAsync(Balancers[..2], async b => (await b.MembersAsync()).Length == 2, "lb3 is gone");
        await Balancers[0].SendAsync("POST", "/v1/backends/chat/ws1/ready");
        Balancers[2].Daemon.Signal(DaemonProcess.SIGCONT);
        var since = Stopwatch.StartNew();
        await _scene.AllAsync(async b => (await b.MembersAsync()).Length == 3 && await b.StateOfAsync("chat/ws1") == "up", "lb3 is back");
        Say($"one that stood still is back after {since.Elapsed.TotalMilliseconds:0} ms");
    }

    [Test]
    [Order(9)]
    public async Task A_second_process_with_an_id_says_so_and_takes_nothing()
    {
        await using FleetMemberProcess twin = _scene.Twin("lb1");
        await twin.StartAsync();
        await twin.Daemon.LineWithAsync("has the id lb1");
        Assert.That((await twin.FleetAsync()).GetProperty("id_held_by").GetString(), Is.Not.Empty);
        Assert.That(
            (await Balancers[1].FleetAsync()).GetProperty("members")[0].GetProperty("host").GetString(), Does.EndWith($"pid {Balancers[0].Daemon.Id}"));
        Assert.That(Balancers[0].Daemon.Output, Has.None.Contains("has the id"));
    }

    [Test]
    [Order(10)]
    public async Task What_etcd_has_lost_is_written_again()
    {
        await Balancers[0].SendAsync("POST", "/v1/backends/chat/ws1/drain");
        await _scene.AllAsync(async b => await b.StateOfAsync("chat/ws1") == "draining", "the drain");
        using (EtcdClient client = _scene.Etcd.Connect())
        {
            await client.DeleteAllAsync("/l4balancer/", CancellationToken.None);
        }

        await UntilAsync(async () => (await KeysAsync("intent/chat/ws1")).Length == 1 && (await KeysAsync("members/")).Length == 3, "all is there again");
        Assert.That(await Task.WhenAll(Balancers.Select(b => b.StateOfAsync("chat/ws1"))), Is.All.EqualTo("draining"));

        var since = Stopwatch.StartNew();
        await Task.WhenAll(_scene.Etcd.Members.Select(m => m.WipeAsync()));
        await UntilAsync(async () => (await KeysAsync("intent/chat/ws1")).Length == 1 && (await KeysAsync("members/")).Length == 3, "all is there again");
        Say($"a cluster without its disks: all is there again {since.Elapsed.TotalMilliseconds:0} ms after its end");
        Assert.That(await Task.WhenAll(Balancers.Select(b => b.StateOfAsync("chat/ws1"))), Is.All.EqualTo("draining"));
        Assert.That(Balancers[0].Daemon.Output, Has.Some.Contains("etcd has lost what it had"));
        await Balancers[0].SendAsync("POST", "/v1/backends/chat/ws1/ready");
        await _scene.AllAsync(async b => await b.StateOfAsync("chat/ws1") == "up", "ready");
    }

    [Test]
    [Order(11)]
    public async Task The_command_shows_the_balancers_and_their_differences_in_80_columns()
    {
        string file = await File.ReadAllTextAsync(Balancers[2].ConfigPath);
        await File.WriteAllTextAsync(Balancers[2].ConfigPath, file.Replace("weight = 60", "weight = 61", StringComparison.Ordinal));
        await Balancers[2].SendAsync("POST", "/v1/reload");
        await _scene.AllAsync(async b => (await b.FleetAsync()).GetProperty("disagreement").GetProperty("ring").GetInt32() == 1, "the ring differs");
        await Balancers[0].SendAsync("POST", "/v1/backends/chat/ws1/drain?until=1h");
        (int code, string table) = await FleetCommandAsync(Balancers[0]);
        Say(table);

        Assert.That(code, Is.Zero);
        Assert.That(table.Split('\n').Max(l => l.Length), Is.LessThanOrEqualTo(80));
        Assert.That(table, Does.Contain("they differ in configuration, ring").And.Contain("lb1 *").And.Contain("rooms").And.Contain("drain"));
        await File.WriteAllTextAsync(Balancers[2].ConfigPath, file);
        await Balancers[2].SendAsync("POST", "/v1/reload");
        await Balancers[0].SendAsync("POST", "/v1/backends/chat/ws1/ready");
        await AgreeAsync();
        Assert.That((await FleetCommandAsync(Balancers[0])).Output, Does.Contain("all agree"));
    }

    [Test]
    [Order(12)]
    public async Task The_shipped_loop_restarts_one_after_the_other()
    {
        foreach (string program in (string[])["sh", "jq"])
        {
            if (!Array.Exists(Environment.GetEnvironmentVariable("PATH")!.Split(':'), p => File.Exists(Path.Combine(p, program))))
            {
                Assert.Ignore($"{program} is not installed: make test-deps");
            }
        }

        // The command of the loop leaves a file, which asks this test to restart that one.
        string folder = Path.GetDirectoryName(Balancers[0].ConfigPath)!;
        var start = new ProcessStartInfo(
            Repository.PathOf("packaging", "examples", "fleet", "rolling-upgrade.sh"),
            [$"touch {folder}/restart-$1", .. Balancers.Select(b => $"{b.Id}={b.SocketPath}")])
        { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["L4BALANCER"] = DaemonProcess.Command;
        start.Environment["WITHIN"] = "60";
        var since = Stopwatch.StartNew();
        using Process loop = Process.Start(start)!;
        Task<string> output = loop.StandardOutput.ReadToEndAsync();
        Task<string> errors = loop.StandardError.ReadToEndAsync();
        foreach (FleetMemberProcess balancer in Balancers)
        {
            string asked = Path.Combine(folder, $"restart-{balancer.Id}");
            await UntilAsync(() => Task.FromResult(File.Exists(asked) || loop.HasExited), $"the loop comes to {balancer.Id}");
            Assert.That(File.Exists(asked), Is.True, balancer.Id);
            Assert.That(Directory.GetFiles(folder, "restart-*"), Has.Length.EqualTo(1), "one after the other");
            File.Delete(asked);
            balancer.Daemon.Signal(DaemonProcess.SIGTERM);
            await balancer.Daemon.ExitAsync();
            await balancer.Daemon.DisposeAsync();
            await balancer.StartAsync();
        }

        await loop.WaitForExitAsync();
        Assert.That(loop.ExitCode, Is.Zero, await errors);
        Assert.That(await output, Does.Contain("lb3: back").And.Contain("3 balancers, versions: "));
        Say($"the loop restarts three balancers in {since.Elapsed.TotalSeconds:0.0} s");
    }

    [Test]
    [Order(13)]
    public async Task A_balancer_that_stops_leaves_at_once()
    {
        var since = Stopwatch.StartNew();
        Balancers[2].Daemon.Signal(DaemonProcess.SIGTERM);
        await FleetScene.AllAsync(Balancers[..2], async b => (await b.MembersAsync()).Length == 2, "lb3 is gone");
        Say($"one that stops is gone after {since.Elapsed.TotalMilliseconds:0} ms");
        await FleetScene.AllAsync(
            Balancers[..2], async b => (await b.ZoneAsync()).SequenceEqual(Balancers[..2].Select(o => FleetScene.AddressOf(o.Id))), "the zone without it");
        Assert.That(await Balancers[2].Daemon.ExitAsync(), Is.Zero);
    }

    [Test]
    [Order(2)]
    public async Task The_zone_of_each_has_the_addresses_of_all()
    {
        string[] all = [.. Balancers.Select(b => FleetScene.AddressOf(b.Id))];
        await _scene.AllAsync(async b => (await b.ZoneAsync()).SequenceEqual(all), "the zone");
    }

    private static Task<JsonElement> SettingAsync(FleetMemberProcess balancer, string method, string path, string body) =>
        balancer.SendAsync(method, $"/v1/backends/{path}", body);

    private Task<TimeSpan> AgreeAsync() => _scene.AllAsync(
        async b => await b.FleetAsync() is var fleet && fleet.GetProperty("connected").GetBoolean() && fleet.GetProperty("members").GetArrayLength() == 3
            && fleet.GetProperty("differences").GetArrayLength() == 0,
        "all agree");

    private async Task<string> OwnViewAsync(string balancer, string backend = "chat/ws1") =>
        (await Balancers[2].FleetAsync()).GetProperty("members").EnumerateArray().Single(m => m.GetProperty("id").GetString() == balancer)
        .GetProperty("backends").GetProperty(backend).GetString()!;

    private async Task<string[]> KeysAsync(string below)
    {
        using EtcdClient client = _scene.Etcd.Connect();
        return [.. ((await client.ListAsync($"/l4balancer/{FleetScene.Name}/{below}", CancellationToken.None)).Value?.Entries ?? []).Select(e => e.Key)];
    }

    private static async Task<(int Code, string Output)> FleetCommandAsync(FleetMemberProcess balancer)
    {
        await using var output = new StringWriter();
        int code = await L4Balancer.CommandLine.CommandLineRoot.InvokeAsync(["fleet", "--admin", balancer.SocketPath, .. DaemonProcess.Patiently], output, output);
        return (code, output.ToString());
    }

    private static RoutingSnapshot SnapshotOf(FleetMemberProcess balancer, int weight)
    {
        BalancerConfig config = ConfigReader.Read(File.ReadAllBytes(balancer.ConfigPath)).Config!;
        return RoutingSnapshot.Build(new DesiredState(config, 1000).WithOverride("rooms", "r7", new BackendOverride(BackendMode.Ready, weight)));
    }

    private static IEnumerable<string> RingsOf(JsonElement fleet, string pool) =>
        fleet.GetProperty("members").EnumerateArray().Select(m => m.GetProperty("rings").GetProperty(pool).GetString()!).Distinct();

    private static async Task UntilAsync(Func<Task<bool>> holds, string what)
    {
        var waited = Stopwatch.StartNew();
        while (!await holds())
        {
            Assert.That(waited.Elapsed, Is.LessThan(DaemonProcess.Deadline), what);
            await Task.Delay(10);
        }
    }

    private static string Shown(IEnumerable<TimeSpan> times) =>
        string.Join(", ", times.Order().Select(t => $"{t.TotalMilliseconds:0}")) + " ms";

    private static void Say(string figure) => TestContext.Out.WriteLine(figure);
}
