namespace L4Balancer.Tests.Fronting;

/// <summary>
/// Three balancers behind a router that knows them by BGP and BFD, as in packaging/examples/bird. The times that are printed are those of
/// docs/scaling.md; what is asserted leaves room for a busy machine.
/// </summary>
[Platform("Linux")]
[Parallelizable(ParallelScope.All)]
internal sealed class EcmpTests
{
    private const int Held = 60;

    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(25);

    [Test]
    public async Task A_daemon_that_dies_or_hangs_is_withdrawn_and_connections_through_the_others_stay()
    {
        await using EcmpScene scene = await EcmpScene.StartAsync();
        await using var clients = new SteadyClients(scene.Client, EcmpScene.Service);
        await clients.ServedByAsync(clients.Now, scene.Addresses);
        int routes = scene.NextHops.Output.Length;
        TimeSpan killed = clients.Now;
        await scene.Balancers[2].KillAsync();
        await scene.Balancers[2].StartAsync();
        await clients.ServedByAsync(clients.Now, scene.Addresses);
        Outage restart = clients.OutageSince(killed);
        await Report("daemon killed (kill -9) and restarted at once", restart);
        if (restart.LastFailed < TimeSpan.FromSeconds(3))
        {
            Assert.That(scene.NextHops.Output, Has.Length.EqualTo(routes), "no route is withdrawn");
        }

        FrontClient[] held = await scene.HoldAsync(EcmpScene.Service, Held);

        killed = clients.Now;
        await scene.Balancers[0].KillAsync();
        Outage dead = await LeftAsync(clients, killed, scene.Addresses[1..]);
        await Report("daemon killed (kill -9)", dead);
        await OnlyThoseOfAsync(held, scene.Balancers[0]);

        await scene.Balancers[0].StartAsync();
        await clients.ServedByAsync(clients.Now, scene.Addresses);
        FrontClient[] others = [.. held.Where(h => h.Balancer != scene.Balancers[0].Address)];
        Assert.That(await LivingAsync(others), Is.EqualTo(others.Length), "one that comes takes no flow that is alive");

        TimeSpan stopped = clients.Now;
        scene.Balancers[1].Daemon.Signal(DaemonProcess.SIGSTOP);
        Outage hung = await LeftAsync(clients, stopped, [scene.Addresses[0], scene.Addresses[2]]);
        await Report("daemon hung (SIGSTOP)", hung);
        Assert.That(await LivingAsync(others), Is.EqualTo(others.Count(h => h.Balancer == scene.Balancers[2].Address)));
        scene.Balancers[1].Daemon.Signal(DaemonProcess.SIGCONT);
        Array.ForEach(held, h => h.Dispose());
        Assert.That(dead.LastFailed, Is.LessThan(Bound));
        Assert.That(hung.LastFailed, Is.LessThan(Bound));
    }

    [Test]
    public async Task An_upgrade_or_a_crash_with_a_restart_withdraws_no_route_and_every_connection_stays()
    {
        await using EcmpScene scene = await EcmpScene.StartAsync();
        await using var clients = new SteadyClients(scene.Client, EcmpScene.Service);
        await clients.ServedByAsync(clients.Now, scene.Addresses);
        FrontClient[] held = await scene.HoldAsync(EcmpScene.Service, Held);
        FrontBalancer balancer = scene.Balancers[1];
        int routes = scene.NextHops.Output.Length;
        foreach ((string what, int most, Func<Task> act) in new (string, int, Func<Task>)[]
        {
            ("upgrade", 0, balancer.UpgradeAsync),
            // One that is in the middle of a copy, or not yet connected, in each worker.
            ("daemon killed (kill -9) and restarted at once, with its keeper", 4, balancer.KillAndRestartAsync),
        })
        {
            TimeSpan begin = clients.Now;
            await act();
            await clients.ServedByAsync(clients.Now, scene.Addresses);
            Outage outage = clients.OutageSince(begin);
            int living = await LivingAsync(held);
            await Report($"{what}: {living} of {held.Length} connections stay, {held.Count(h => h.Balancer == balancer.Address)} through it", outage);
            Assert.That(living, Is.EqualTo(held.Length), what);
            Assert.That(outage.Failed, Is.LessThanOrEqualTo(most), $"{what}: {outage}");
            Assert.That(scene.NextHops.Output, Has.Length.EqualTo(routes), "no route is withdrawn");
        }

        Array.ForEach(held, h => h.Dispose());
    }

    [Test]
    public async Task A_host_without_a_link_or_without_bird_is_withdrawn_by_BFD_and_connections_through_the_others_stay()
    {
        await using EcmpScene scene = await EcmpScene.StartAsync();
        await using var clients = new SteadyClients(scene.Client, EcmpScene.ServiceV6);
        await clients.ServedByAsync(clients.Now, scene.Addresses);
        FrontClient[] held = await scene.HoldAsync(EcmpScene.ServiceV6, Held);

        TimeSpan cut = clients.Now;
        await scene.SetPortAsync(scene.Balancers[2], on: false);
        Outage link = await LeftAsync(clients, cut, scene.Addresses[..2]);
        await Report("link down", link);
        await OnlyThoseOfAsync(held, scene.Balancers[2]);
        await scene.SetPortAsync(scene.Balancers[2], on: true);
        await clients.ServedByAsync(clients.Now, scene.Addresses);

        TimeSpan killed = clients.Now;
        await scene.KillBirdAsync(scene.Balancers[1]);
        Outage bird = await LeftAsync(clients, killed, [scene.Addresses[0], scene.Addresses[2]]);
        await Report("BIRD killed (kill -9)", bird);
        scene.StartBirdAgain(scene.Balancers[1]);
        await clients.ServedByAsync(clients.Now, scene.Addresses);
        Array.ForEach(held, h => h.Dispose());
        Assert.That(link.LastFailed, Is.LessThan(TimeSpan.FromSeconds(6)), "BFD finds it, long before the hold time of BGP");
        Assert.That(bird.Failed, Is.LessThan(bird.Attempts / 10), "the host serves until its route is withdrawn");
    }

    private static async Task<Outage> LeftAsync(SteadyClients clients, TimeSpan since, string[] balancers)
    {
        await clients.ServedByAsync(clients.Now, balancers);
        return clients.OutageSince(since);
    }

    private static async Task OnlyThoseOfAsync(FrontClient[] held, FrontBalancer gone)
    {
        int others = held.Count(h => h.Balancer != gone.Address);
        int living = await LivingAsync(held.Where(h => h.Balancer != gone.Address));
        await TestContext.Out.WriteLineAsync(
            $"{living} of {others} connections through the other balancers stay, {held.Length - others} were through {gone.Host.Name}");
        Assert.That(others, Is.InRange(1, held.Length - 1));
        Assert.That(living, Is.EqualTo(others));
    }

    private static async Task<int> LivingAsync(IEnumerable<FrontClient> held) =>
        (await Task.WhenAll(held.Select(h => h.LivesAsync()))).Count(l => l);

    private static Task Report(string what, Outage outage) => TestContext.Out.WriteLineAsync($"ECMP, {what}: {outage}");
}
