using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Engine.Tests.Peers;

namespace L4Balancer.Engine.Tests.Contract;

/// <summary>Two engines listen on the same sockets, as two processes do during a hand-over: no client is refused, whichever accepts.</summary>
internal abstract class SharedListenContract(Func<EngineOptions, IEngine> create) : EngineContract(create)
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("l4b-");

    [TearDown]
    public void RemoveFolder() => _folder.Delete(recursive: true);

    [Test]
    public async Task Both_accept_and_either_leaves_the_queue_to_the_other([Values] bool isUnix)
    {
        TestBackend backend = Backend();
        backend.ServeEcho();
        string path = $"{_folder.FullName}/l";
        Rig first = Start(Settings.Pool(backend), isUnix ? Settings.Listener() with { Bind = [Settings.Unix(path)] } : null);
        if (!await HandsOverAsync(first))
        {
            return;
        }

        await using var visitors = new Visitors(first.Address);
        await visitors.MoreAsync(100);
        Rig second = (await StartSecondAsync(first, Duplicates.Of(first.Engine.ListeningDescriptors)))!;
        Assert.That(second.Engine.Bound, Is.EqualTo(first.Engine.Bound), "also where the kernel chose the port");
        await visitors.MoreAsync(200);

        await StopAcceptingAsync(first);
        long accepted = first.Accepted;
        await visitors.MoreAsync(200);
        Assert.That(first.Accepted, Is.EqualTo(accepted), "the other one takes them all");
        Assert.That(second.Accepted, Is.Positive);

        first.Engine.ResumeAccepting();
        await StopAcceptingAsync(second);
        accepted = second.Accepted;
        await visitors.MoreAsync(200);
        Assert.That(second.Accepted, Is.EqualTo(accepted), "and back");

        await first.Engine.StopAcceptingAsync().Soon();
        second.Engine.ResumeAccepting();
        await Patience.Until(() => first.Engine.Count == 0, "its visitors have gone");
        await first.Engine.StopAsync(TimeSpan.Zero, CancellationToken.None).Soon();
        await visitors.MoreAsync(200);
        await visitors.EndAsync();

        Assert.That(visitors.Failures, Is.Empty);
        Assert.That(File.Exists(path), Is.EqualTo(isUnix), "the file is the other one's");
        await second.Engine.StopAsync(TimeSpan.Zero, new CancellationToken(canceled: true)).Soon();
        Assert.That(File.Exists(path), Is.False, "which removes it");
    }

    [Test]
    public async Task What_queues_while_nobody_accepts_is_served_when_one_does_again()
    {
        TestBackend backend = Backend();
        backend.ServeEcho();
        Rig rig = Start(Settings.Pool(backend));
        if (!await HandsOverAsync(rig))
        {
            return;
        }

        await rig.Engine.StopAcceptingAsync().Soon();
        Peer queued = await ConnectAsync(rig);
        await queued.SendAsync(new byte[1]);
        await rig.Engine.PingLoopsAsync().Soon();
        Assert.That((rig.Accepted, rig.Engine.Count), Is.EqualTo((0, 0)));
        TimeSpan busy = Busy();
        await Patience.Elapse(TimeSpan.FromMilliseconds(300));
        Assert.That(Busy() - busy, Is.LessThan(TimeSpan.FromMilliseconds(50)), "what waits keeps no loop busy");

        rig.Engine.ResumeAccepting();
        await queued.ReceiveAsync(1);
        rig.Engine.ResumeAccepting();
        await VisitAsync(rig.Address);

        TimeSpan Busy() => rig.Engine.LoopStatistics().Aggregate(TimeSpan.Zero, (sum, l) => sum + l.CpuTime);
    }

    [Test]
    public async Task One_that_comes_and_fails_takes_nothing_from_the_other([Values] bool starts)
    {
        TestBackend backend = Backend();
        backend.ServeEcho();
        string path = $"{_folder.FullName}/l";
        TestBackend inTheWay = Backend();
        Rig first = Start(Settings.Pool(backend), Settings.Listener("127.0.0.1:0") with { Bind = [Settings.Unix(path), Settings.Endpoint("127.0.0.1:0")] });
        if (!await HandsOverAsync(first))
        {
            return;
        }

        Endpoint tcp = first.Engine.Bound.Single(b => !b.IsUnix);
        await using (IEngine second = NewEngine(new RecordedConnections(), takenOver: Duplicates.Of(first.Engine.ListeningDescriptors)))
        {
            BalancerConfig config = starts ? first.Config! : Settings.Config(
                Settings.Pool(backend), Settings.Listener() with { Bind = [.. first.Config!.Listeners[0].Bind, inTheWay.Endpoint] });
            Assert.That(second.Start(Core.Routing.RoutingSnapshot.Build(new(config, 1000))), starts ? Is.Empty : Has.Count.EqualTo(1));
            await second.StopAsync(TimeSpan.Zero, new CancellationToken(canceled: true)).Soon();
        }

        Assert.That(File.Exists(path), Is.True);
        first.Engine.ResumeAccepting();
        await VisitAsync(tcp);
        await VisitAsync(Settings.Unix(path));
    }

    [Test]
    public async Task What_the_other_one_retires_before_it_ends_listens_again()
    {
        TestBackend backend = Backend();
        backend.ServeEcho();
        Rig first = Start(Settings.Pool(backend));
        if (!await HandsOverAsync(first))
        {
            return;
        }

        Rig second = (await StartSecondAsync(first, Duplicates.Of(first.Engine.ListeningDescriptors)))!;
        await first.Engine.StopAcceptingAsync().Soon();
        second.Publish(Settings.Config(Settings.Pool(backend), Settings.Listener("127.0.0.2:0")));
        await second.Engine.StopAsync(TimeSpan.Zero, new CancellationToken(canceled: true)).Soon();

        first.Engine.ResumeAccepting();
        await VisitAsync(first.Address);
    }

    [Test]
    public async Task A_snapshot_that_comes_meanwhile_applies_to_the_sockets_afterwards()
    {
        TestBackend backend = Backend();
        backend.ServeEcho();
        Rig rig = Start(Settings.Pool(backend));
        if (!await HandsOverAsync(rig))
        {
            return;
        }

        IReadOnlyList<Endpoint> before = rig.Engine.Bound;
        await rig.Engine.StopAcceptingAsync().Soon();
        BalancerConfig later = Settings.Config(Settings.Pool(backend), Settings.Listener("127.0.0.2:0"));
        rig.Publish(later);
        Assert.That(rig.Engine.FollowPools(), Is.Empty);
        Assert.That(rig.Engine.Bound, Is.EqualTo(before), "the other process listens there");

        rig.Engine.ResumeAccepting();
        Assert.That(rig.Engine.Bound.Single().Address, Is.EqualTo(Settings.Address("127.0.0.2")));
        await VisitAsync(rig.Engine.Bound.Single());
    }

    [Test]
    public async Task What_is_shared_is_not_retired_though_the_engine_still_accepts()
    {
        TestBackend backend = Backend();
        backend.ServeEcho();
        Rig first = Start(Settings.Pool(backend));
        if (!await HandsOverAsync(first))
        {
            return;
        }

        first.Engine.ShareListening();
        ListeningDescriptor[] shared = Duplicates.Of(first.Engine.ListeningDescriptors);
        Endpoint address = first.Address;
        first.Publish(Settings.Config(Settings.Pool(backend), Settings.Listener("127.0.0.2:0")));
        await VisitAsync(address);
        Assert.That(first.Accepted, Is.EqualTo(1), "until the other one serves");

        // A retirement takes the SYNs from every process that has the socket.
        await first.Engine.StopAcceptingAsync().Soon();
        Rig second = (await StartSecondAsync(first, shared))!;
        await VisitAsync(address);
        Assert.That(second.Accepted, Is.EqualTo(1));
    }

    [Test]
    public async Task What_is_accepted_by_a_shared_socket_goes_by_the_snapshot_in_force()
    {
        TestBackend before = Backend();
        TestBackend backend = Backend();
        backend.ServeEcho();
        Rig rig = Start(Settings.Pool(before));
        if (!await HandsOverAsync(rig))
        {
            return;
        }

        rig.Engine.ShareListening();
        rig.Publish(rig.Config! with { Pools = [Settings.Pool(backend)] });
        await VisitAsync(rig.Address);
        rig.Engine.ResumeAccepting();
        await VisitAsync(rig.Address);
    }

    [Test]
    public async Task Sockets_of_the_service_manager_are_handed_on_as_such_and_one_of_no_listener_is_closed()
    {
        TestBackend backend = Backend();
        Rig first = Start(Settings.Pool(backend), Settings.Listener("127.0.0.1:0", "127.0.0.1:0"));
        if (!await HandsOverAsync(first))
        {
            return;
        }

        ListeningDescriptor[] own = Duplicates.Of(first.Engine.ListeningDescriptors);
        Assert.That(own.Select(s => (s.Listener, s.Requested, s.IsFromService)),
            Is.All.EqualTo(("listener", Settings.Endpoint("127.0.0.1:0"), false)).And.Exactly(2).Items);
        ListeningDescriptor foreign = own[0] with { Listener = "other", IsFromService = true };
        Rig second = (await StartSecondAsync(first, [own[1], foreign]))!;

        Assert.That(second.Engine.Bound, Has.Member(own[1].Bound).And.No.Member(own[0].Bound));
        Assert.That(second.Engine.ListeningDescriptors.Select(s => s.Descriptor), Has.Member(own[1].Descriptor));
    }

    /// <summary>What was accepted before may still be on its way to another thread, where it is counted.</summary>
    private static async Task StopAcceptingAsync(Rig rig)
    {
        await rig.Engine.StopAcceptingAsync().Soon();
        await Patience.Until(() => rig.Engine.Connecting == 0, "nobody is left behind");
    }
}
