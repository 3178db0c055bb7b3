using System.Net.Sockets;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Routing;
using L4Balancer.Engine.Tests.Peers;

namespace L4Balancer.Engine.Tests.Contract;

/// <summary>Every listener is bound, or none is.</summary>
internal abstract class ListenContract(Func<EngineOptions, IEngine> create) : EngineContract(create)
{
    [Test]
    public async Task An_address_that_is_not_here_yet_is_bound_where_freebind_is_set()
    {
        TestBackend backend = Backend();
        ListenerSettings listener = Settings.Listener("127.0.0.1:0", "192.0.2.77:0") with { Freebind = true };
        Rig rig = Start(Settings.Pool(backend), listener);
        Assert.That(rig.Engine.Bound, Has.Count.EqualTo(2));
        (Peer client, Peer server) = await OpenAsync(rig, backend);
        await FinishAsync(client, server);

        Assert.That(
            rig.TryPublish(Settings.Config(Settings.Pool(backend), Settings.Listener("127.0.0.1:0", "192.0.2.78:0"))).Single().Message,
            Does.Contain("this host does not have the address").And.Contain("freebind"));
    }

    [Test]
    public async Task Every_address_of_a_listener_serves()
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend), Settings.Listener("127.0.0.1:0", "[::1]:0", "127.0.0.2:0"));

        Assert.That(string.Join(' ', rig.Engine.Bound.Select(e => e.Address)), Is.EqualTo("127.0.0.1 ::1 127.0.0.2"));
        foreach (Endpoint endpoint in rig.Engine.Bound)
        {
            Peer client = Keep(await Peer.ConnectAsync(endpoint));
            Peer server = Keep(await backend.AcceptAsync());
            await Patience.Until(() => rig.Records.IsEstablished(client.Local), "the engine knows of it");
            Assert.That(rig.List().Single(r => r.Tuple.Source == client.Local).Tuple.Destination, Is.EqualTo(endpoint));
            await FinishAsync(client, server);
        }
    }

    [Test]
    public async Task The_wildcard_of_IPv6_leaves_IPv4_alone()
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend), Settings.Listener("[::]:0"));

        Peer client = Keep(await Peer.ConnectAsync(rig.Address with { Address = Settings.Address("::1") }));
        Peer server = Keep(await backend.AcceptAsync());
        await FinishAsync(client, server);
        Assert.That(
            () => Peer.ConnectAsync(rig.Address with { Address = Settings.Address("127.0.0.1") }),
            Throws.InstanceOf<SocketException>().With.Property(nameof(SocketException.SocketErrorCode)).EqualTo(SocketError.ConnectionRefused));
    }

    [Test]
    public async Task A_port_in_use_is_a_failure_and_leaves_nothing_bound()
    {
        TestBackend taken = Backend();
        Endpoint free = FreeEndpoint();
        IReadOnlyList<ListenFailure> failures = await FailToStartAsync(
            Settings.Listener(free.ToString()),
            Settings.Listener(taken.Endpoint.ToString()) with { Name = "second" });

        Assert.That(failures, Has.Count.EqualTo(1));
        using (Assert.EnterMultipleScope())
        {
            Assert.That((failures[0].Listener, failures[0].Endpoint), Is.EqualTo(("second", taken.Endpoint)));
            Assert.That(failures[0].Message, Does.Contain("in use").And.Not.Contain("\n"));
            Assert.That(() => BindTo(free), Throws.Nothing, "the other address is free again");
        }
    }

    [Test]
    public async Task A_port_that_another_engine_listens_on_is_in_use()
    {
        Rig first = Start(Settings.Pool(Backend()));

        IReadOnlyList<ListenFailure> failures = await FailToStartAsync(Settings.Listener(first.Address.ToString()));

        Assert.That(failures.Single().Message, Does.Contain("in use"));
    }

    [Test]
    public async Task A_port_with_connections_in_TIME_WAIT_is_bound_again()
    {
        TestBackend backend = Backend();
        Rig first = Start(Settings.Pool(backend));
        (Peer client, Peer server) = await OpenAsync(first, backend);
        server.Finish();
        Assert.That((await client.ReceiveAllAsync()).End, Is.EqualTo(StreamEnd.Fin));
        client.Finish();
        Assert.That((await server.ReceiveAllAsync()).End, Is.EqualTo(StreamEnd.Fin));
        await first.Engine.StopAsync(TimeSpan.Zero, CancellationToken.None).Soon();

        Rig second = Start(Settings.Pool(backend), Settings.Listener(first.Address.ToString()));

        Assert.That(second.Address, Is.EqualTo(first.Address));
    }

    [Test]
    public async Task All_failures_are_reported_at_once()
    {
        TestBackend taken = Backend();
        IReadOnlyList<ListenFailure> failures = await FailToStartAsync(
            Settings.Listener("192.0.2.1:0"),
            Settings.Listener(taken.Endpoint.ToString()) with { Name = "second" });

        Assert.That(string.Join(' ', failures.Select(f => f.Listener)), Is.EqualTo("listener second"));
        Assert.That(failures.Select(f => f.Message), Is.All.Not.Empty);
        Assert.That(failures.Select(f => f.Message), Is.Unique);
    }

    [Test]
    public async Task A_privileged_port_needs_a_right()
    {
        if (Environment.IsPrivilegedProcess)
        {
            Assert.Ignore("root may bind any port");
        }

        IReadOnlyList<ListenFailure> failures = await FailToStartAsync(Settings.Listener("127.0.0.1:81"));

        Assert.That(failures.Single().Message, Does.Contain("CAP_NET_BIND_SERVICE"));
    }

    private async Task<IReadOnlyList<ListenFailure>> FailToStartAsync(params ListenerSettings[] listeners)
    {
        await using IEngine engine = NewEngine(new RecordedConnections());
        BalancerConfig config = Settings.Config(Settings.Pool(Backend()), listeners);
        IReadOnlyList<ListenFailure> failures = engine.Start(RoutingSnapshot.Build(new(config, 1000)));
        Assert.That(engine.Bound, Is.Empty);
        return failures;
    }

    private static Endpoint FreeEndpoint()
    {
        using TestBackend backend = TestBackend.Refusing();
        return backend.Endpoint;
    }

    private static void BindTo(Endpoint endpoint)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(endpoint.ToIPEndPoint());
    }
}
