using System.Net.Sockets;

namespace L4Balancer.Tests.Fronting;

/// <summary>
/// Two balancers with VRRP as in packaging/examples/keepalived. The times that are printed are those of docs/scaling.md; what is asserted
/// leaves room for a busy machine.
/// </summary>
[Platform("Linux")]
[Order(1)]
[Parallelizable(ParallelScope.All)]
internal sealed class VrrpTests
{
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(25);

    [Test]
    public async Task A_balancer_that_dies_or_hangs_loses_its_address_and_one_that_is_restarted_at_once_does_not()
    {
        await using VrrpPair pair = await VrrpPair.StartAsync();
        await using SteadyClients clients = await pair.ClientsOfAsync(0);
        FrontBalancer first = pair.First;
        int before = pair.Keepalived(pair.Second).CountOf(VrrpPair.BecameMaster);

        TimeSpan killed = clients.Now;
        await first.KillAsync();
        await first.StartAsync();
        Outage restart = await clients.ServedByAsync(killed, first.Address);
        await Report("daemon killed (kill -9) and restarted at once", restart);
        await pair.ScriptSucceedsAsync(first);
        int moved = pair.Keepalived(pair.Second).CountOf(VrrpPair.BecameMaster) - before;

        killed = clients.Now;
        await first.KillAsync();
        Outage dead = await FailoverAsync(pair, clients, killed);
        await Report("daemon killed (kill -9)", dead);

        TimeSpan back = clients.Now;
        await first.StartAsync();
        Outage home = await clients.ServedByAsync(back, first.Address);
        await Report("the address goes home", home);
        await pair.ScriptSucceedsAsync(first);

        TimeSpan stopped = clients.Now;
        first.Daemon.Signal(DaemonProcess.SIGSTOP);
        Outage hung = await FailoverAsync(pair, clients, stopped);
        await Report("daemon hung (SIGSTOP)", hung);
        first.Daemon.Signal(DaemonProcess.SIGCONT);

        Assert.Multiple(() =>
        {
            int allowed = restart.Silence < TimeSpan.FromSeconds(3) ? 0 : 1;
            Assert.That(moved, Is.LessThanOrEqualTo(allowed), "a restart within 3 s moves no address");
            Assert.That(dead.Silence, Is.GreaterThan(TimeSpan.FromSeconds(2)).And.LessThan(Bound));
            Assert.That(hung.Silence, Is.GreaterThan(TimeSpan.FromSeconds(2)).And.LessThan(Bound));
            Assert.That(home.Errors, Does.Not.Contain("Refused"), "both listen on the address all the time");
        });
    }

    [Test]
    public async Task An_upgrade_or_a_crash_with_a_restart_moves_no_address_and_every_connection_stays()
    {
        await using VrrpPair pair = await VrrpPair.StartAsync();
        await using SteadyClients clients = await pair.ClientsOfAsync(0);
        FrontClient[] held = await pair.HoldAsync(0, 40);
        int masters = pair.Keepalived(pair.Second).CountOf(VrrpPair.BecameMaster);
        foreach ((string what, int most, Func<Task> act) in new (string, int, Func<Task>)[]
        {
            ("upgrade", 0, pair.First.UpgradeAsync),
            // One that is in the middle of a copy, or not yet connected, in each worker.
            ("daemon killed (kill -9) and restarted at once, with its keeper", 4, pair.First.KillAndRestartAsync),
        })
        {
            TimeSpan begin = clients.Now;
            await act();
            await clients.ServedByAsync(clients.Now, pair.First.Address);
            Outage outage = clients.OutageSince(begin);
            bool[] living = await Task.WhenAll(held.Select(h => h.LivesAsync()));
            await Report($"{what}: {living.Count(l => l)} of {held.Length} connections stay", outage);
            Assert.That(living, Has.All.True, what);
            Assert.That(outage.Failed, Is.LessThanOrEqualTo(most), $"{what}: {outage}");
            Assert.That(pair.Keepalived(pair.Second).CountOf(VrrpPair.BecameMaster), Is.EqualTo(masters), "no address moves");
        }

        Array.ForEach(held, h => h.Dispose());
    }

    [Test]
    public async Task A_host_without_keepalived_or_without_a_link_loses_its_address()
    {
        await using VrrpPair pair = await VrrpPair.StartAsync();
        await using SteadyClients clients = await pair.ClientsOfAsync(0);

        TimeSpan killed = clients.Now;
        await pair.KillKeepalivedAsync(pair.First);
        Outage keepalived = await FailoverAsync(pair, clients, killed);
        await Report("keepalived killed (kill -9)", keepalived);

        pair.StartKeepalived(pair.First);
        await clients.ServedByAsync(clients.Now, pair.First.Address);
        TimeSpan cut = clients.Now;
        await pair.SetPortAsync(pair.First, on: false);
        Outage link = await FailoverAsync(pair, clients, cut);
        await Report("link down", link);

        Assert.That(keepalived.Silence, Is.LessThan(Bound));
        Assert.That(link.Silence, Is.LessThan(Bound));
    }

    // It lasts longest, and so begins first.
    [Test]
    [Order(1)]
    public async Task Balancers_are_restarted_one_after_the_other_and_no_new_connection_is_refused()
    {
        await using VrrpPair pair = await VrrpPair.StartAsync();
        await using SteadyClients first = await pair.ClientsOfAsync(0);
        await using SteadyClients second = await pair.ClientsOfAsync(1);
        SteadyClients[] both = [first, second];
        using FrontClient held = await FrontClient.ConnectAsync(pair.Client, VrrpPair.Services[0], CancellationToken.None);
        TimeSpan[] begin = [.. both.Select(c => c.Now)];
        for (int i = 0; i < pair.Balancers.Length; i++)
        {
            FrontBalancer balancer = pair.Balancers[i];
            TimeSpan drained = both[i].Now;
            balancer.Daemon.Signal(DaemonProcess.SIGTERM);
            await both[i].ServedByAsync(both[i].Now, pair.Balancers[1 - i].Address);
            await Report($"{balancer.Host.Name} drained", both[i].OutageSince(drained));
            Assert.That(await balancer.Daemon.ExitAsync(), Is.Zero);
            await balancer.StartAsync();
            await both[i].ServedByAsync(both[i].Now, balancer.Address);
        }

        Outage[] all = [.. both.Select((c, i) => c.OutageSince(begin[i]))];
        int failed = all.Sum(o => o.Failed);
        int attempts = all.Sum(o => o.Attempts);
        string errors = string.Join(", ", all.Select(o => o.Errors));
        await TestContext.Out.WriteLineAsync($"VRRP, rolling restart: {failed} of {attempts} connects failed {errors}");
        Assert.That(errors, Does.Not.Contain(nameof(SocketError.ConnectionRefused)));
        Assert.That(failed, Is.LessThan(attempts / 50), "those that are on their way in the instant of a move are lost with their address");
        Assert.That(await held.LivesAsync(), Is.False, "an established connection does not move with its address");
    }

    private static async Task<Outage> FailoverAsync(VrrpPair pair, SteadyClients clients, TimeSpan since)
    {
        await clients.ServedByAsync(clients.Now, pair.Second.Address);
        return clients.OutageSince(since);
    }

    private static Task Report(string what, Outage outage) => TestContext.Out.WriteLineAsync($"VRRP, {what}: {outage}");
}
