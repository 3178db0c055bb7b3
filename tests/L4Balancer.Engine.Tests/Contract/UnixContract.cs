using System.Net.Sockets;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Connections;
using L4Balancer.Engine.Tests.Peers;

namespace L4Balancer.Engine.Tests.Contract;

/// <summary>Bytes between UNIX sockets, and between them and TCP.</summary>
internal abstract class UnixContract(Func<EngineOptions, IEngine> create) : EngineContract(create)
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("l4b-");

    [TearDown]
    public void RemoveFolder() => _folder.Delete(recursive: true);

    [TestCase(true, false)]
    [TestCase(false, true)]
    [TestCase(true, true)]
    public async Task Bytes_and_ends_pass_as_with_TCP(bool isUnixListener, bool isUnixBackend)
    {
        TestBackend backend = isUnixBackend ? Unix("b") : Backend();
        Rig rig = Start(Settings.Pool(backend), isUnixListener ? Listener("l") : null);
        Peer client = await ConnectAsync(rig);
        Peer server = Keep(await backend.AcceptAsync());

        // Enough for an engine that splices to do so.
        const int length = 8 * 1024 * 1024;
        Task<Received> atServer = server.ReceiveAllAsync();
        string sent = await client.SendPatternAsync(1, length);
        client.Finish();
        Received received = await atServer;
        Assert.That((received.Bytes, received.Digest, received.End), Is.EqualTo(((long)length, sent, StreamEnd.Fin)));

        Task<Received> atClient = client.ReceiveAllAsync();
        string answer = await server.SendPatternAsync(2, length);
        server.Finish();
        received = await atClient;
        Assert.That((received.Bytes, received.Digest, received.End), Is.EqualTo(((long)length, answer, StreamEnd.Fin)));

        ConnectionRecord record = await rig.Records.NextEndAsync();
        using (Assert.EnterMultipleScope())
        {
            Assert.That(record.Tuple.Source.IsUnix, Is.EqualTo(isUnixListener));
            Assert.That(record.Tuple.Destination, Is.EqualTo(rig.Address));
            Assert.That(!isUnixListener || record.Tuple.Source == Endpoint.OfUnixClient((ushort)record.Id), Is.True);
            Assert.That(record.LocalEndpoint.IsUnix, Is.EqualTo(isUnixBackend));
            Assert.That((record.BytesToBackend, record.BytesToClient), Is.EqualTo(((long)length, (long)length)));
            Assert.That(record.Reason, Is.EqualTo(CloseReason.ClientClosed));
        }
    }

    [Test]
    public async Task What_a_client_sends_before_it_closes_arrives_although_the_backend_is_connected_later()
    {
        TestBackend silent = Keep(await TestBackend.SilentAsync());
        Rig rig = Start(Settings.Pool(silent) with { ConnectTimeout = TimeSpan.FromSeconds(30) }, Listener("l"));
        Peer client = await ConnectAsync(rig);
        await client.SendAsync(new byte[1000]);
        client.Dispose();
        await Patience.Until(() => rig.Listener.Pending == 1, "it is pending");

        await silent.Unblock();
        Received received = await Keep(await silent.AcceptAsync()).ReceiveAllAsync();

        Assert.That((received.Bytes, received.End), Is.EqualTo((1000L, StreamEnd.Fin)));
    }

    [Test]
    public async Task A_close_by_the_balancer_delivers_and_ends_both_sides()
    {
        TestBackend backend = Unix("b");
        Rig rig = Start(Settings.Pool(backend), Listener("l"));
        Peer client = await ConnectAsync(rig);
        Peer server = Keep(await backend.AcceptAsync());
        await server.SendAsync(new byte[100]);
        await client.ReceiveAsync(100);

        Assert.That(rig.Engine.Close(rig.List().Single().Id, CloseReason.Drain), Is.True);

        Assert.That((await client.ReceiveAllAsync()).End, Is.EqualTo(StreamEnd.Fin));
        Assert.That((await server.ReceiveAllAsync()).End, Is.EqualTo(StreamEnd.Fin));
        client.Dispose();
        server.Dispose();
        Assert.That((await rig.Records.NextEndAsync()).Reason, Is.EqualTo(CloseReason.Drain));
    }

    [Test]
    public async Task A_backend_that_closes_with_unread_bytes_has_reset_it()
    {
        TestBackend backend = Unix("b");
        Rig rig = Start(Settings.Pool(backend), Listener("l"));
        Peer client = await ConnectAsync(rig);
        Peer server = Keep(await backend.AcceptAsync());
        await client.SendAsync(new byte[100]);
        await Patience.Until(() => server.Socket.Available == 100, "they have come");

        server.Dispose();

        // There is no reset on a UNIX socket: the client reads the end of the stream.
        await client.ReceiveAllAsync();
        Assert.That((await rig.Records.NextEndAsync()).Reason, Is.EqualTo(CloseReason.BackendReset));
    }

    [Test]
    public async Task A_refused_client_is_closed()
    {
        Rig rig = Start(Settings.Pool(Backend()), Listener("l") with { Deny = [Cidr.Unix] });

        Peer client = await ConnectAsync(rig);

        Assert.That((await client.ReceiveAllAsync()).Bytes, Is.Zero);
        Assert.That((await rig.Records.NextEndAsync()).Reason, Is.EqualTo(CloseReason.Denied));
    }

    [Test]
    public async Task A_path_that_nothing_listens_on_is_a_refused_connect_and_the_next_backend_serves()
    {
        TestBackend living = Unix("b");
        living.ServeEcho();
        PoolSettings pool = Settings.Pool(living);
        pool = pool with
        {
            Balance = BalanceKind.RoundRobin,
            Passive = new PassiveSettings { Failures = 0 },
            Backends = [.. pool.Backends, new BackendSettings { Name = "none", Address = Path("none").ToString(), Endpoint = Path("none") }],
        };
        Rig rig = Start(pool, Listener("l"));

        for (int i = 0; i < 6; i++)
        {
            await VisitAsync(rig.Address);
        }

        Assert.That(rig.Backend(1).ConnectFailures[CloseReason.ConnectFailed], Is.GreaterThanOrEqualTo(3));
    }

    [Test]
    public async Task A_full_queue_is_waited_for_and_not_counted_against_the_backend()
    {
        TestBackend full = Keep(TestBackend.ListeningAt(Path("b"), backlog: 0));
        Keep(await Peer.ConnectAsync(full.Endpoint));
        Rig rig = Start(
            Settings.Pool(full) with { ConnectTimeout = TimeSpan.FromMilliseconds(50), ConnectAttempts = 16, Passive = new PassiveSettings { Failures = 1 } },
            Listener("l"));
        Peer client = await ConnectAsync(rig);
        await Patience.Until(() => rig.Backend().ConnectFailures[CloseReason.ConnectTimeout] > 0, "it was full");

        Keep(await full.AcceptAsync());
        Peer server = Keep(await full.AcceptAsync());

        await client.SendAsync(new byte[1]);
        await server.ReceiveAsync(1);
    }

    [Test]
    public async Task Clients_are_spread_over_the_backends()
    {
        TestBackend[] backends = [Unix("b0"), Unix("b1")];
        Array.ForEach(backends, b => b.ServeEcho());
        Rig rig = Start(Settings.Pool(backends), Listener("l"));

        for (int i = 0; i < 40; i++)
        {
            await VisitAsync(rig.Address);
        }

        Assert.That(new[] { rig.Backend(0).Active, rig.Backend(1).Active }, Is.All.GreaterThan(3));
    }

    private Endpoint Path(string name) => Endpoint.OfUnix($"{_folder.FullName}/{name}");

    private TestBackend Unix(string name) => Keep(TestBackend.ListeningAt(Path(name)));

    private ListenerSettings Listener(string name) => new() { Name = "listener", Bind = [Path(name)], Pool = "pool" };
}
