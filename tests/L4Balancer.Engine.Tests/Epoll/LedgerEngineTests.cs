using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Runtime.Versioning;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Routing;
using L4Balancer.Engine.Epoll;
using L4Balancer.Engine.Ledger;
using L4Balancer.Engine.Linux;
using L4Balancer.Engine.Tests.Contract;
using L4Balancer.Engine.Tests.Ledger;
using L4Balancer.Engine.Tests.Peers;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Logging.Testing;

namespace L4Balancer.Engine.Tests.Epoll;

/// <summary>What the engine as a whole notes: its listening sockets, names that come and go, the seeds of sticky keys; and whose the ledger is.</summary>
[SupportedOSPlatform("linux")]
internal sealed class LedgerEngineTests() : EpollFixture(workers: 2)
{
    private readonly FakeLogCollector _log = new();

    [Test]
    public async Task Listening_sockets_are_noted_with_the_listener_that_they_serve_now()
    {
        TestBackend backend = Backend();
        PoolSettings pool = Settings.Pool(backend);
        Rig rig = Start(pool, Settings.Listener("127.0.0.1:0", "127.0.0.2:0"));
        Dictionary<Endpoint, int> open = EngineSocket.AllListening();
        LedgerSocket[] expected =
            [.. rig.Engine.Bound.Select(e => new LedgerSocket(open[e], SocketCookie.Of(open[e]), "listener"))];
        Assert.That(ReadLedger().Listening, Is.EquivalentTo(expected));

        // One stays under another name, one goes.
        string kept = rig.Engine.Bound[1].ToString();
        rig.Publish(Settings.Config(pool, Settings.Listener(kept) with { Name = "other" }));
        Assert.That(ReadLedger().Listening, Does.Contain(expected[1] with { Listener = "other" }));
        await Patience.Until(() => ReadLedger().Listening.Count == 1, "the other is closed after its second");
    }

    [Test]
    public async Task Sockets_that_another_process_holds_too_are_not_noted_and_those_taken_over_are()
    {
        TestBackend backend = Backend();
        (int shared, Endpoint sharedAt) = Listening();
        (int taken, Endpoint takenAt) = Listening();
        await using IEngine engine = Create(Options(NewLedger().Ledger) with { Inherited = [shared], TakenOver = [new ListeningDescriptor(taken, "listener", takenAt, takenAt, IsFromService: false)] });
        Assert.That(engine.Start(Snapshot(backend, sharedAt.ToString(), takenAt.ToString())), Is.Empty);

        Assert.That(engine.Bound, Is.EqualTo([sharedAt, takenAt]));
        Assert.That(ReadLedger().Listening, Is.EqualTo([new LedgerSocket(taken, SocketCookie.Of(taken), "listener")]));
    }

    [Test]
    public async Task Second_engine_on_a_ledger_does_not_start_until_the_first_is_gone()
    {
        TestBackend backend = Backend();
        LedgerSample ledger = NewLedger();
        await using (IEngine first = Create(Options(ledger.Ledger)))
        {
            Assert.That(first.Start(Snapshot(backend)), Is.Empty);
            await using IEngine refused = Create(Options(ledger.Ledger));
            Assert.That(refused.Start(Snapshot(backend)).Single().Message, Does.Contain("ledger"));
            Assert.That(ledger.Read().Listening, Has.Count.EqualTo(1), "the first one's is untouched");
        }

        await using IEngine next = Create(Options(ledger.Ledger));
        Assert.That(next.Start(Snapshot(backend)), Is.Empty);
    }

    [Test]
    public async Task Names_of_backends_that_come_and_go_do_not_use_up_the_places()
    {
        const int rounds = 120;
        TestBackend backend = Backend();
        LedgerSample ledger = NewLedger(new LedgerShape(Workers: 2, Slots: 64, Pipes: 4, Names: 32));
        PoolSettings pool = Settings.Pool(backend);
        Rig rig = Start(Settings.Config(pool, Settings.Listener("127.0.0.1:0")), ledger: ledger.Ledger);
        (Peer longLived, Peer server) = await OpenAsync(rig, backend);
        int most = 0;
        for (int round = 0; round < rounds; round++)
        {
            rig.Publish(Settings.Config(
                pool with { Backends = [Settings.Backend(backend, $"discovered-{round}")] }, Settings.Listener("127.0.0.1:0")));
            (Peer client, Peer other) = await OpenAsync(rig, backend);
            await Patience.Until(() => ledger.Read().Connections.Count == 2, "it is noted");
            LedgerReading read = ledger.Read();
            Assert.That(read.Connections.Select(c => c.Backend?.Name), Is.EquivalentTo(new[] { "b0", $"discovered-{round}" }));
            most = Math.Max(most, read.NamesInUse);
            await FinishAsync(client, other);
            await Patience.Until(() => rig.Engine.Count == 1, "it is over");
        }

        TestContext.Out.WriteLine($"{rounds} backends, {most} names at most");
        Assert.That(ledger.Ledger.Unwritten, Is.Zero, "places are used again");
        await FinishAsync(longLived, server);
    }

    [Test]
    public async Task Sticky_connection_has_the_hash_of_its_key_and_the_pool_its_seeds()
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend) with
        {
            Sticky = new StickySettings { Ttl = TimeSpan.FromMinutes(5) },
        });
        await OpenAsync(rig, backend);
        await Patience.Until(() => ReadLedger().Connections.Count == 1, "it is noted");
        LedgerReading read = ReadLedger();
        (ulong first, ulong second) = rig.Pool.Sticky!.Seeds;
        Assert.That(read.Seeds, Is.EqualTo([new LedgerSeeds("pool", first, second)]));
        LedgerConnection connection = read.Connections.Single();
        Assert.That(rig.List().Single().TryStickyHash(out ulong high, out ulong low), Is.True);
        Assert.That((connection.Entry.StickyHigh, connection.Entry.StickyLow), Is.EqualTo((high, low)));
        Assert.That(high, Is.Not.Zero);
    }

    [Test]
    public async Task What_stands_still_here_is_noted_before_it_is_served_unless_bytes_would_be_lost_with_this_process()
    {
        TestBackend backend = Backend();
        Rig first = Start(Settings.Pool(backend));
        (Peer, Peer Server)[] open = [await OpenAsync(first, backend), await OpenAsync(first, backend), await OpenAsync(first, backend)];
        Rig second = (await StartSecondAsync(first))!;
        await using FrozenSlice slice = (await first.Engine.FreezeAsync(HandOver.Slice, CancellationToken.None).Soon())!;
        ExportedConnection[] copies = HandOver.Copy(slice.Connections.OrderBy(c => c.Record.Id), second);
        Assert.That(KernelPipe.TryOpen(65_536, 4096, out KernelPipe pipe));
        Assert.That(Write(pipe.WriteEnd, new byte[7]), Is.EqualTo(7));
        copies[1] = copies[1] with { PipeToBackend = new ExportedPipe(pipe.ReadEnd, pipe.WriteEnd, pipe.Capacity, 7) };
        copies[2] = copies[2] with { ToBackend = new byte[9] };

        await using FrozenSlice taken = await HandOver.TakeAsync(second, copies);
        LedgerConnection[] noted = [.. ReadLedger(1).Connections.OrderBy(c => c.Entry.Id)];
        Assert.That(noted.Select(c => c.Entry.Id), Is.EqualTo(copies[..2].Select(c => c.Record.Id)));
        Assert.That(noted.Select(c => (c.Entry.DirtyToBackend, c.Entry.PipeToBackend > 0)), Is.EqualTo(new[] { ((byte)0, false), ((byte)0, true) }));

        await HandOver.CommitAsync(slice, first, copies);
        await taken.ThawAsync().Soon();
        await open[1].Server.ReceiveAsync(7);
        await open[2].Server.ReceiveAsync(9);
        await Patience.Until(() => ReadLedger(1).Connections.Count(c => c.Entry.DirtyToBackend == 0) == 3, "all are noted, and hold nothing");
    }

    [Test]
    public async Task Sockets_of_a_connection_are_known_whether_or_not_it_has_a_place_in_the_ledger()
    {
        TestBackend backend = Backend();
        LedgerSample ledger = NewLedger(new LedgerShape(Workers: 2, Slots: 1, Pipes: 0));
        Rig rig = Start(Settings.Config(Settings.Pool(backend), Settings.Listener("127.0.0.1:0")), ledger: ledger.Ledger, workers: 1);
        for (int i = 0; i < 3; i++)
        {
            await OpenAsync(rig, backend);
        }

        await using FrozenSlice slice = (await rig.Engine.FreezeAsync(HandOver.Slice, CancellationToken.None).Soon())!;
        Assert.That(ledger.Read().Connections, Has.Count.InRange(1, 2));
        Assert.That(
            await rig.Engine.CookiesAsync().Soon(),
            Is.EquivalentTo(slice.Connections.SelectMany(c => new[] { SocketCookie.Of(c.Client), SocketCookie.Of(c.Backend) })));
    }

    [Test]
    public async Task Connection_without_a_place_is_served_all_the_same_and_logged_once()
    {
        TestBackend backend = Backend();
        LedgerSample ledger = NewLedger(new LedgerShape(Workers: 2, Slots: 1, Pipes: 0));
        var log = LoggerFactory.Create(b => b.AddProvider(new FakeLoggerProvider(_log)));
        Rig rig = Start(Settings.Config(Settings.Pool(backend), Settings.Listener("127.0.0.1:0")), log: log, ledger: ledger.Ledger, workers: 1);
        for (int i = 0; i < 8; i++)
        {
            (Peer client, Peer server) = await OpenAsync(rig, backend);
            await client.SendAsync(new byte[1000]);
            await server.ReceiveAsync(1000);
        }

        Assert.That(ledger.Read().Connections, Has.Count.InRange(1, 2));
        Assert.That(ledger.Ledger.Unwritten, Is.EqualTo(8 - ledger.Read().Connections.Count));
        Assert.That(_log.GetSnapshot().Count(r => r.Id.Id == 2050), Is.InRange(1, 2), "once for each event loop");
        log.Dispose();
    }

    private static EngineOptions Options(ConnectionLedger ledger) => new()
    {
        Clock = TimeProvider.System,
        Records = new RecordedConnections(),
        Loggers = NullLoggerFactory.Instance,
        Ledger = ledger,
    };

    private static RoutingSnapshot Snapshot(TestBackend backend, params string[] binds) => RoutingSnapshot.Build(
        new(Settings.Config(Settings.Pool(backend), Settings.Listener(binds.Length > 0 ? binds : ["127.0.0.1:0"])), 1000));

    private static (int Descriptor, Endpoint Endpoint) Listening()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        socket.Listen();
        int copy = Duplicate((int)socket.Handle);
        return (copy, Endpoint.From((IPEndPoint)socket.LocalEndPoint!));
    }

    [DllImport("libc", EntryPoint = "dup", SetLastError = true)]
    private static extern int Duplicate(int descriptor);

    [DllImport("libc", EntryPoint = "write")]
    private static extern nint Write(int descriptor, byte[] bytes, nint count);

    private static int Write(int descriptor, byte[] bytes) => (int)Write(descriptor, bytes, bytes.Length);
}
