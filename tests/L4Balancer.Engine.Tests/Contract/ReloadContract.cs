using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Engine.Tests.Peers;

namespace L4Balancer.Engine.Tests.Contract;

/// <summary>Listening sockets follow the snapshot, and no client is refused or reset for it.</summary>
internal abstract class ReloadContract(Func<EngineOptions, IEngine> create) : EngineContract(create)
{
    [Test]
    public async Task An_address_that_stays_keeps_its_socket_through_many_reloads()
    {
        (Rig rig, PoolSettings pool) = StartEcho();
        int descriptor = EngineSocket.FindListening(rig.Address).Descriptor;
        await using var visitors = new Visitors(rig.Address);
        for (int i = 0; i < 50; i++)
        {
            ListenerSettings stays = Settings.Listener(rig.Address.ToString()) with { Name = i % 4 < 2 ? "listener" : "another", Backlog = 1000 + i };
            ListenerSettings comes = Settings.Listener("127.0.0.1:0") with { Name = "comes" };
            rig.Publish(i % 2 == 0 ? Settings.Config(pool, stays) : Settings.Config(pool, comes, stays));
            await visitors.MoreAsync(10);
        }

        await visitors.EndAsync();
        using (Assert.EnterMultipleScope())
        {
            Assert.That(visitors.Failures, Is.Empty);
            Assert.That(EngineSocket.FindListening(rig.Address).Descriptor, Is.EqualTo(descriptor));
        }
    }

    [Test]
    public async Task A_port_of_the_kernel_s_choice_stays_with_its_listener()
    {
        (Rig rig, PoolSettings pool) = StartEcho();
        ListenerSettings first = Settings.Listener("127.0.0.1:0");
        ListenerSettings second = first with { Name = "second" };
        rig.Publish(Settings.Config(pool, first, second));
        Endpoint[] bound = [.. rig.Engine.Bound];
        Assert.That(bound[0], Is.EqualTo(rig.Address));

        rig.Publish(Settings.Config(pool, second, first));
        Assert.That(rig.Engine.Bound, Is.EqualTo(new[] { bound[1], bound[0] }));

        rig.Publish(Settings.Config(pool, second));
        Assert.That(rig.Engine.Bound, Is.EqualTo(new[] { bound[1] }));
        await VisitAsync(bound[1]);
    }

    [Test]
    public async Task An_added_address_takes_connections()
    {
        (Rig rig, PoolSettings pool) = StartEcho();

        rig.Publish(Settings.Config(pool, Settings.Listener(rig.Address.ToString(), "127.0.0.2:0"), Settings.Listener("[::1]:0") with { Name = "v6" }));

        Assert.That(string.Join(' ', rig.Engine.Bound.Select(e => e.Address)), Is.EqualTo("127.0.0.1 127.0.0.2 ::1"));
        foreach (Endpoint endpoint in rig.Engine.Bound)
        {
            await VisitAsync(endpoint);
        }
    }

    [Test]
    public async Task A_failure_to_bind_changes_nothing()
    {
        (Rig rig, PoolSettings pool) = StartEcho();
        TestBackend taken = Backend();
        Endpoint free;
        using (TestBackend other = TestBackend.Refusing())
        {
            free = other.Endpoint;
        }

        int descriptor = EngineSocket.FindListening(rig.Address).Descriptor;
        int descriptors = EngineSocket.CountDescriptors();
        Endpoint wildcard = rig.Address with { Address = HostAddress.Any4 };
        IReadOnlyList<ListenFailure> failures = rig.TryPublish(Settings.Config(
            pool,
            Settings.Listener(free.ToString(), wildcard.ToString()),
            Settings.Listener(taken.Endpoint.ToString()) with { Name = "second" }));

        using (Assert.EnterMultipleScope())
        {
            Assert.That(failures.Select(f => (f.Listener, f.Endpoint)), Is.EqualTo(new[] { ("second", taken.Endpoint) }));
            Assert.That(rig.Engine.Bound, Is.EqualTo(new[] { rig.Address }));
            Assert.That(EngineSocket.FindListening(rig.Address).Descriptor, Is.EqualTo(descriptor));
            Assert.That(EngineSocket.FindListening(rig.Address).ReusePort, Is.Zero);
            Assert.That(EngineSocket.TryFindListening(free), Is.Null);
            Assert.That(EngineSocket.TryFindListening(wildcard), Is.Null);
            Assert.That(EngineSocket.CountDescriptors(), Is.EqualTo(descriptors).Within(4), "other tests have theirs");
        }

        await VisitAsync(rig.Address);
    }

    [Test]
    public async Task A_listener_that_changes_its_pool_sends_new_connections_there_and_keeps_the_others()
    {
        TestBackend first = Backend();
        TestBackend second = Backend();
        Rig rig = Start(Settings.Pool(first), Settings.Listener("127.0.0.1:0"));
        (Peer oldClient, Peer oldServer) = await OpenAsync(rig, first);

        rig.Publish(new BalancerConfig
        {
            Listeners = [Settings.Listener("127.0.0.1:0") with { Pool = "new" }],
            Pools = [Settings.Pool(first), Settings.Pool(second) with { Name = "new" }],
        });
        (Peer newClient, Peer newServer) = await OpenAsync(rig, second);

        await FinishAsync(newClient, newServer);
        await FinishAsync(oldClient, oldServer);
    }

    [Test]
    public async Task An_address_that_moves_to_another_listener_counts_there()
    {
        (Rig rig, PoolSettings pool) = StartEcho();
        int descriptor = EngineSocket.FindListening(rig.Address).Descriptor;
        await VisitAsync(rig.Address);

        rig.Publish(Settings.Config(pool, Settings.Listener(rig.Address.ToString()) with { Name = "renamed" }));
        await VisitAsync(rig.Address);

        await Patience.Until(() => rig.Listener.Accepted == 1, "it is counted");
        Assert.That((rig.Listener.Name, EngineSocket.FindListening(rig.Address).Descriptor), Is.EqualTo(("renamed", descriptor)));
    }

    [Test]
    public async Task A_snapshot_for_a_stopped_engine_binds_nothing()
    {
        (Rig rig, PoolSettings pool) = StartEcho();
        Endpoint free;
        using (TestBackend other = TestBackend.Refusing())
        {
            free = other.Endpoint;
        }

        Task stopping = rig.Engine.StopAsync(TimeSpan.Zero, CancellationToken.None);
        rig.Publish(Settings.Config(pool, Settings.Listener(free.ToString())));
        await stopping.Soon();
        rig.Publish(Settings.Config(pool, Settings.Listener(free.ToString())));

        Assert.That(EngineSocket.TryFindListening(free), Is.Null);
        Assert.That(rig.Engine.Bound, Is.Empty);
    }
}
