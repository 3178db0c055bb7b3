using System.Diagnostics;
using System.Net;
using System.Text.Json;
using L4Balancer.Tests.Fronting;

namespace L4Balancer.Tests.Fleet;

// While packets between a balancer and etcd, or between members of etcd, are dropped (nft).
internal sealed partial class FleetTests
{
    [Test]
    [Order(9)]
    public async Task A_balancer_cut_off_from_etcd_goes_on_with_what_it_knows_and_agrees_soon_after_its_return()
    {
        FleetHosts hosts = Hosts();
        FleetMemberProcess alone = Balancers[2];
        VirtualHost host = hosts.Balancers[2].Host;
        IPEndPoint front = await alone.Daemon.ListenerAsync("wss");
        using var held = new HeldRequest(front);
        await held.BeginAsync();
        var since = Stopwatch.StartNew();
        await host.CutAsync(hosts.Etcd.Select(e => e.Address));
        try
        {
            await FleetScene.AllAsync([alone], async b => !await b.IsConnectedAsync(), "it says that etcd is away");
            TimeSpan said = since.Elapsed;
            await FleetScene.AllAsync(Balancers[..2], async b => (await b.MembersAsync()).Length == 2, "it is gone for the others");
            Say($"cut off from etcd: the balancer says so after {said.TotalMilliseconds:0} ms, for the others it is gone after {since.Elapsed.TotalMilliseconds:0} ms");

            since.Restart();
            await Balancers[0].SendAsync("POST", "/v1/backends/chat/ws1/drain");
            await FleetScene.AllAsync(Balancers[..2], async b => await b.StateOfAsync("chat/ws1") == "draining", "the drain");
            Say($"a drain holds on the others after {since.Elapsed.TotalMilliseconds:0} ms");
            JsonElement answer = await alone.SendAsync("POST", "/v1/backends/chat/ws2/maint");
            Assert.That(answer.GetProperty("warning").GetString(), Does.Contain("not shared yet"));
            Assert.That(await alone.StateOfAsync("chat/ws1"), Is.EqualTo("up"), "what it knows");
            Assert.That(await Task.WhenAll(Balancers[..2].Select(b => b.StateOfAsync("chat/ws2"))), Is.All.EqualTo("up"));
            Assert.That(await held.EndAsync(), Does.StartWith("HTTP/1.1 200 "), "an established connection");
            using var later = new HeldRequest(front);
            await later.BeginAsync();
            Assert.That(await later.EndAsync(), Does.StartWith("HTTP/1.1 200 "), "a new one");
        }
        finally
        {
            await host.MendAsync();
        }

        since.Restart();
        await _scene.AllAsync(
            async b => await b.StateOfAsync("chat/ws1") == "draining" && await b.StateOfAsync("chat/ws2") == "maintenance", "what was set on either side");
        TimeSpan shared = since.Elapsed;
        await AgreeAsync();
        Say($"after its return: what was set on either side holds on all after {shared.TotalMilliseconds:0} ms, all agree after {since.Elapsed.TotalMilliseconds:0} ms");
        await ReadyAsync();
    }

    [Test]
    [Order(9)]
    public async Task With_each_balancer_cut_off_from_another_member_of_etcd_a_drain_holds_on_all()
    {
        FleetHosts hosts = Hosts();
        for (int i = 0; i < 3; i++)
        {
            await hosts.Balancers[i].Host.CutAsync(hosts.Etcd[i].Address);
        }

        try
        {
            Say($"each balancer is cut off from another member of etcd: a drain holds on all after {await DrainAsync():0} ms");
        }
        finally
        {
            await Task.WhenAll(hosts.Balancers.Select(b => b.Host.MendAsync()));
        }

        await ReadyAsync();
    }

    [Test]
    [Order(9)]
    public async Task A_member_of_etcd_cut_off_from_the_other_two_keeps_no_drain_from_any_balancer()
    {
        FleetHosts hosts = Hosts();
        List<double> drains = [];
        for (int i = 0; i < 3; i++)
        {
            // Balancers reach it, and it has no leader.
            await hosts.Etcd[i].Host.CutAsync(hosts.Etcd.Where((_, other) => other != i).Select(e => e.Address));
            try
            {
                drains.Add(await DrainAsync());
            }
            finally
            {
                await hosts.Etcd[i].Host.MendAsync();
            }

            await _scene.Etcd.Members[i].ReadyAsync();
            await ReadyAsync();
        }

        Say($"one member of etcd is cut off from the others: a drain holds on all after {string.Join(", ", drains.Select(d => $"{d:0}"))} ms");

        // All is read again after 30 s.
        Assert.That(drains, Is.All.LessThan(15_000));
    }

    private FleetHosts Hosts()
    {
        if (_scene.Hosts is null)
        {
            Assert.Ignore(_scene.WhyNoHosts);
        }

        return _scene.Hosts!;
    }

    // Milliseconds until it holds on all.
    private async Task<double> DrainAsync()
    {
        var since = Stopwatch.StartNew();
        await Balancers[0].SendAsync("POST", "/v1/backends/chat/ws1/drain");
        await _scene.AllAsync(async b => await b.StateOfAsync("chat/ws1") == "draining", "the drain");
        return since.Elapsed.TotalMilliseconds;
    }

    private async Task ReadyAsync()
    {
        await _scene.AllAsync(async b => await b.IsConnectedAsync(), "etcd is back");
        await Balancers[0].SendAsync("POST", "/v1/backends/chat/ws1/ready");
        await Balancers[0].SendAsync("POST", "/v1/backends/chat/ws2/ready");
        await _scene.AllAsync(async b => await b.StateOfAsync("chat/ws1") == "up" && await b.StateOfAsync("chat/ws2") == "up", "all are ready");
        await AgreeAsync();
    }
}
