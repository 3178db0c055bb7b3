using L4Balancer.Core.Config;
using L4Balancer.Engine.Tests.Peers;

namespace L4Balancer.Engine.Tests.Contract;

/// <summary>Socket options are in force on both sides, as the kernel reports them for the engine's own descriptors.</summary>
internal abstract class OptionContract(Func<EngineOptions, IEngine> create) : EngineContract(create)
{
    // asm-generic/socket.h and linux/tcp.h.
    private const int LevelSocket = 1;
    private const int LevelTcp = 6;
    private const int Keepalive = 9;
    private const int NoDelay = 1;
    private const int KeepIdle = 4;
    private const int KeepInterval = 5;
    private const int KeepCount = 6;
    private const int DeferAccept = 9;
    private const int CongestionControl = 13;
    private const int UserTimeout = 18;
    private const int NotSentLimit = 25;
    private const int SendBuffer = 7;
    private const int ReceiveBuffer = 8;
    private const int KiB = 1024;

    [Test]
    public async Task Each_side_has_the_options_of_its_own_table()
    {
        TestBackend backend = Backend();
        Rig rig = Start(
            Settings.Pool(backend) with { Keepalive = Keep(31, 11, 4), UserTimeout = TimeSpan.FromSeconds(17) },
            Settings.Listener("127.0.0.1:0") with { Keepalive = Keep(41, 21, 5), UserTimeout = TimeSpan.FromMilliseconds(1500) });
        (Peer client, Peer server) = await OpenAsync(rig, backend);
        await server.SendAsync(new byte[1]);
        await client.ReceiveAsync(1);

        // An engine may leave the backend's keepalive for later, when it is clear that the connection stays.
        await Patience.Until(() => OptionsOf(server).Contains("keepalive 1", StringComparison.Ordinal), "keepalive is on");
        using (Assert.EnterMultipleScope())
        {
            Assert.That(OptionsOf(client), Is.EqualTo("nodelay 1, keepalive 1 41 21 5, user timeout 1500"), "the client's side");
            Assert.That(OptionsOf(server), Is.EqualTo("nodelay 1, keepalive 1 31 11 4, user timeout 17000"), "the backend's side");
        }
    }

    [Test]
    public async Task What_is_written_to_the_backend_after_the_first_write_is_neither_delayed_nor_queued_without_bound(
        [Values(SendProxy.None, SendProxy.V1)] SendProxy header)
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend) with { SendProxy = header }, Settings.Listener("127.0.0.1:0"));
        Peer client = await ConnectAsync(rig);
        if (header == SendProxy.None)
        {
            await client.SendAsync("\n"u8.ToArray());
        }

        // The first write: the line of the header, or of the client.
        Peer server = Keep(await backend.AcceptAsync());
        while ((await server.ReceiveAsync(1))[0] != '\n')
        {
        }

        await client.SendAsync(new byte[1]);
        await server.ReceiveAsync(1);
        EngineSocket socket = EngineSocket.Find(server.Remote, server.Local);
        Assert.That((socket.Option(LevelTcp, NoDelay), socket.Option(LevelTcp, NotSentLimit)), Is.EqualTo((1, 512 * KiB)));
    }

    [Test]
    public async Task Keepalive_can_be_off()
    {
        TestBackend backend = Backend();
        Rig rig = Start(
            Settings.Pool(backend) with { Keepalive = Keep(0, 10, 3) }, Settings.Listener("127.0.0.1:0") with { Keepalive = Keep(0, 10, 3) });
        (Peer client, Peer server) = await OpenAsync(rig, backend);
        await server.SendAsync(new byte[1]);
        await client.ReceiveAsync(1);

        using (Assert.EnterMultipleScope())
        {
            Assert.That(OptionsOf(client), Does.Contain("keepalive 0"));
            Assert.That(OptionsOf(server), Does.Contain("keepalive 0"));
        }
    }

    [Test]
    public async Task Each_side_has_the_congestion_control_of_its_own_table()
    {
        // Every kernel has reno, and lets anyone choose it (net/ipv4/tcp_cong.c); what else there is differs.
        string other = SystemCongestionControls().First(c => c != "reno");
        TestBackend backend = Backend();
        Rig rig = Start(
            Settings.Pool(backend) with { CongestionControl = "reno" },
            Settings.Listener("127.0.0.1:0") with { CongestionControl = other });
        (Peer client, Peer server) = await OpenAsync(rig, backend);
        await server.SendAsync(new byte[1]);
        await client.ReceiveAsync(1);

        using (Assert.EnterMultipleScope())
        {
            Assert.That(EngineSocket.Find(client.Remote, client.Local).Text(LevelTcp, CongestionControl), Is.EqualTo(other));
            Assert.That(EngineSocket.Find(server.Remote, server.Local).Text(LevelTcp, CongestionControl), Is.EqualTo("reno"));
        }
    }

    [Test]
    public async Task Each_side_has_the_buffers_of_its_own_table_and_a_bound_on_unsent_bytes()
    {
        TestBackend backend = Backend();
        Rig rig = Start(
            Settings.Pool(backend) with { SendBuffer = new ByteSize(24 * KiB), ReceiveBuffer = new ByteSize(28 * KiB) },
            Settings.Listener("127.0.0.1:0") with { SendBuffer = new ByteSize(40 * KiB), ReceiveBuffer = new ByteSize(44 * KiB) });
        EngineSocket listening = EngineSocket.FindListening(rig.Address);
        (Peer client, Peer server) = await OpenAsync(rig, backend);

        // The bound towards the backend may come with the second write, see What_is_written_to_the_backend_after_the_first_write.
        for (int write = 0; write < 2; write++)
        {
            await client.SendAsync(new byte[1]);
            await server.ReceiveAsync(1);
        }

        using (Assert.EnterMultipleScope())
        {
            // The kernel doubles what it is given (socket(7)).
            Assert.That(BuffersOf(listening), Is.EqualTo((80 * KiB, 88 * KiB)), "before the handshake, which fixes the scale of the window");
            Assert.That(BuffersOf(EngineSocket.Find(client.Remote, client.Local)), Is.EqualTo((80 * KiB, 88 * KiB)), "the client's side");
            Assert.That(BuffersOf(EngineSocket.Find(server.Remote, server.Local)), Is.EqualTo((48 * KiB, 56 * KiB)), "the backend's side");
            Assert.That(EngineSocket.Find(client.Remote, client.Local).Option(LevelTcp, NotSentLimit), Is.EqualTo(512 * KiB));
            Assert.That(EngineSocket.Find(server.Remote, server.Local).Option(LevelTcp, NotSentLimit), Is.EqualTo(512 * KiB));
        }
    }

    [Test]
    public async Task Buffers_follow_a_reload_and_grow_again_with_the_traffic_when_the_key_is_gone()
    {
        TestBackend backend = Backend();
        PoolSettings pool = Settings.Pool(backend);
        ListenerSettings plain = Settings.Listener("127.0.0.1:0");
        Rig rig = Start(pool, plain);
        EngineSocket listening = EngineSocket.FindListening(rig.Address);
        (int Send, int Receive) system = BuffersOf(listening);
        rig.Publish(Settings.Config(pool, plain with { SendBuffer = new ByteSize(40 * KiB), ReceiveBuffer = new ByteSize(44 * KiB) }));
        Assert.That(BuffersOf(listening), Is.EqualTo((80 * KiB, 88 * KiB)));
        (Peer client, Peer server) = await OpenAsync(rig, backend);
        Assert.That(BuffersOf(EngineSocket.Find(client.Remote, client.Local)), Is.EqualTo((80 * KiB, 88 * KiB)));
        await FinishAsync(client, server);

        rig.Publish(Settings.Config(pool, plain));
        Assert.That(BuffersOf(listening), Is.EqualTo(system));
        (client, server) = await OpenAsync(rig, backend);
        Task<Received> receiving = server.ReceiveAllAsync();
        await client.SendPatternAsync(1, 64 * 1024 * KiB);
        Assert.That(
            EngineSocket.Find(client.Remote, client.Local).Option(LevelSocket, ReceiveBuffer), Is.GreaterThan(system.Receive), "it grows by itself");
        client.Finish();
        await receiving;
        server.Finish();
    }

    [Test]
    public async Task A_congestion_control_that_has_gone_costs_no_connection()
    {
        TestBackend backend = Backend();
        Rig rig = Start(
            Settings.Pool(backend) with { CongestionControl = "no_such_one" },
            Settings.Listener("127.0.0.1:0") with { CongestionControl = "no_such_one" });
        (Peer client, Peer server) = await OpenAsync(rig, backend);

        await FinishAsync(client, server);
    }

    [Test]
    public async Task Accepting_can_wait_for_the_first_byte()
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend), Settings.Listener("127.0.0.1:0") with { DeferAccept = TimeSpan.FromSeconds(3) });
        Assert.That(EngineSocket.FindListening(rig.Address).Option(LevelTcp, DeferAccept), Is.EqualTo(3));
        Peer client = await ConnectAsync(rig);
        await Patience.Elapse(TimeSpan.FromMilliseconds(100));
        Assert.That(rig.Listener.Accepted, Is.Zero, "nothing was sent yet");

        await client.SendAsync(new byte[1]);
        Peer server = Keep(await backend.AcceptAsync());
        await server.ReceiveAsync(1);
        await FinishAsync(client, server);
    }

    [Test]
    public async Task Accepting_does_not_wait_unless_asked_to()
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend));

        Assert.That(EngineSocket.FindListening(rig.Address).Option(LevelTcp, DeferAccept), Is.Zero);
        (Peer client, Peer server) = await OpenAsync(rig, backend);
        await FinishAsync(client, server);
    }

    [Test]
    public async Task Options_are_renewed_on_a_socket_that_stays_and_taken_back_too()
    {
        TestBackend backend = Backend();
        PoolSettings pool = Settings.Pool(backend);
        ListenerSettings plain = Settings.Listener("127.0.0.1:0") with { Keepalive = Keep(0, 10, 3) };
        Rig rig = Start(pool, plain);
        EngineSocket socket = EngineSocket.FindListening(rig.Address);
        string before = ListeningOptionsOf(socket);
        string system = socket.Text(LevelTcp, CongestionControl);
        string other = SystemCongestionControls().First(c => c != system);

        rig.Publish(Settings.Config(pool, plain with
        {
            Backlog = 77,
            Keepalive = Keep(42, 22, 6),
            UserTimeout = TimeSpan.FromMilliseconds(2500),
            DeferAccept = TimeSpan.FromSeconds(3),
            CongestionControl = other,
        }));
        Assert.That(ListeningOptionsOf(socket), Is.EqualTo($"backlog 77, keepalive 1, user timeout 2500, defer 3, {other}"));
        Peer client = await ConnectAsync(rig);
        await client.SendAsync(new byte[1]);
        Peer server = Keep(await backend.AcceptAsync());
        Assert.That(OptionsOf(client), Is.EqualTo("nodelay 1, keepalive 1 42 22 6, user timeout 2500"));

        rig.Publish(Settings.Config(pool, plain));
        Assert.That(ListeningOptionsOf(socket), Is.EqualTo(before));
        await server.ReceiveAsync(1);
        await FinishAsync(client, server);
        (client, server) = await OpenAsync(rig, backend);
        Assert.That(OptionsOf(client), Does.Contain("keepalive 0").And.EndsWith("user timeout 0"));
        await FinishAsync(client, server);
    }

    private static string ListeningOptionsOf(EngineSocket socket) =>
        $"backlog {socket.Backlog}, keepalive {socket.Option(LevelSocket, Keepalive)}, user timeout {socket.Option(LevelTcp, UserTimeout)}, "
        + $"defer {socket.Option(LevelTcp, DeferAccept)}, {socket.Text(LevelTcp, CongestionControl)}";

    private static (int Send, int Receive) BuffersOf(EngineSocket socket) =>
        (socket.Option(LevelSocket, SendBuffer), socket.Option(LevelSocket, ReceiveBuffer));

    private static string[] SystemCongestionControls() =>
        File.ReadAllText("/proc/sys/net/ipv4/tcp_allowed_congestion_control").Split([' ', '\n'], StringSplitOptions.RemoveEmptyEntries);

    private static KeepaliveSettings Keep(int idle, int interval, int count) =>
        new() { Idle = TimeSpan.FromSeconds(idle), Interval = TimeSpan.FromSeconds(interval), Count = count };

    /// <summary>Of the engine's end of the peer's connection.</summary>
    private static string OptionsOf(Peer peer)
    {
        EngineSocket socket = EngineSocket.Find(peer.Remote, peer.Local);
        int keepalive = socket.Option(LevelSocket, Keepalive) != 0 ? 1 : 0;
        return $"nodelay {socket.Option(LevelTcp, NoDelay)}, keepalive {keepalive} {socket.Option(LevelTcp, KeepIdle)} "
            + $"{socket.Option(LevelTcp, KeepInterval)} {socket.Option(LevelTcp, KeepCount)}, user timeout {socket.Option(LevelTcp, UserTimeout)}";
    }
}
