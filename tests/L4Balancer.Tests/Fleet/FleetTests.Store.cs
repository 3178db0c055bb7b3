using System.Diagnostics;
using System.Text.Json;
using L4Balancer.Tests.Etcd;

namespace L4Balancer.Tests.Fleet;

// While members of etcd stand still or are gone.
internal sealed partial class FleetTests
{
    [Test]
    [Order(4)]
    public async Task A_member_of_etcd_that_stands_still_or_is_cut_off_delays_a_drain_by_seconds_only()
    {
        List<TimeSpan> drains = [];
        foreach (EtcdServer member in _scene.Etcd.Members)
        {
            member.Stop();
            try
            {
                var since = Stopwatch.StartNew();
                await Balancers[0].SendAsync("POST", "/v1/backends/chat/ws1/drain");
                await _scene.AllAsync(async b => await b.StateOfAsync("chat/ws1") == "draining", "the drain");
                drains.Add(since.Elapsed);
            }
            finally
            {
                member.Continue();
            }

            await member.ReadyAsync();
            await Balancers[0].SendAsync("POST", "/v1/backends/chat/ws1/ready");
            await _scene.AllAsync(async b => await b.StateOfAsync("chat/ws1") == "up" && await b.IsConnectedAsync(), "ready");
        }

        Say($"one member of etcd stands still: a drain holds on all after {Shown(drains)}");

        // All is read again after 30 s.
        Assert.That(drains, Is.All.LessThan(TimeSpan.FromSeconds(15)));
    }

    [Test]
    [Order(5)]
    public async Task With_one_member_of_etcd_killed_everything_goes_on()
    {
        await _scene.Etcd.Members[0].KillAsync();
        var since = Stopwatch.StartNew();
        await Balancers[0].SendAsync("POST", "/v1/backends/chat/ws1/drain");
        await _scene.AllAsync(async b => await b.StateOfAsync("chat/ws1") == "draining", "the drain");
        Say($"one member of etcd killed: a drain holds on all after {since.Elapsed.TotalMilliseconds:0} ms");
        await _scene.AllAsync(async b => await b.IsConnectedAsync() && (await b.MembersAsync()).Length == 3, "etcd answers");
        _scene.Etcd.Members[0].Start();
        await _scene.Etcd.Members[0].ReadyAsync();
    }

    [Test]
    [Order(6)]
    public async Task Without_etcd_all_say_so_and_go_on_and_what_is_set_meanwhile_is_shared_on_its_return()
    {
        await _scene.Etcd.Members[0].KillAsync();
        await _scene.Etcd.Members[1].KillAsync();
        TimeSpan noticed = await _scene.AllAsync(async b => !await b.IsConnectedAsync(), "etcd is away");
        Assert.That(await Task.WhenAll(Balancers.Select(b => b.StateOfAsync("chat/ws1"))), Is.All.EqualTo("draining"), "what was known holds");

        JsonElement answer = await Balancers[1].SendAsync("POST", "/v1/backends/chat/ws2/maint");
        Assert.That(answer.GetProperty("warning").GetString(), Does.Contain("not shared yet").And.Contain("etcd is away"));
        Assert.That(await Balancers[1].StateOfAsync("chat/ws2"), Is.EqualTo("maintenance"));
        Assert.That(await Balancers[0].StateOfAsync("chat/ws2"), Is.EqualTo("up"));
        Assert.That((await Balancers[1].GetAsync("/v1/status")).GetProperty("fleet").GetProperty("not_shared").GetInt32(), Is.EqualTo(1));
        await Balancers[1].Daemon.LineWithAsync("etcd is away");
        (int code, string table) = await FleetCommandAsync(Balancers[1]);
        Assert.That((code, table), Is.EqualTo((0, table)));
        Assert.That(table, Does.Contain("1 not shared yet").And.Contain("not yet").And.Contain("etcd is away"));

        // What waits outlives a restart too.
        await Balancers[1].Daemon.DisposeAsync();
        await Balancers[1].StartAsync();
        Assert.That(await Balancers[1].StateOfAsync("chat/ws2"), Is.EqualTo("maintenance"), "by the state file");
        _scene.Etcd.Members[0].Start();
        _scene.Etcd.Members[1].Start();
        await Task.WhenAll(_scene.Etcd.Members.Select(m => m.ReadyAsync()));
        var since = Stopwatch.StartNew();
        await _scene.AllAsync(async b => await b.StateOfAsync("chat/ws2") == "maintenance" && await b.IsConnectedAsync(), "what was set meanwhile");
        await AgreeAsync();
        Say($"etcd away: noticed by all after {noticed.TotalMilliseconds:0} ms; all agree again {since.Elapsed.TotalMilliseconds:0} ms after it is back");
        Assert.That((await Balancers[1].FleetAsync()).GetProperty("not_shared").GetInt32(), Is.Zero);
        await Balancers[0].SendAsync("POST", "/v1/backends/chat/ws2/ready");
        await _scene.AllAsync(async b => await b.StateOfAsync("chat/ws2") == "up", "ready");
    }
}
