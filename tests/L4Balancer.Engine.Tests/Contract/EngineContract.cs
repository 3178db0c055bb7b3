using System.Net.Sockets;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Routing;
using L4Balancer.Engine.Ledger;
using L4Balancer.Engine.Tests.Ledger;
using L4Balancer.Engine.Tests.Peers;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace L4Balancer.Engine.Tests.Contract;

/// <summary>
/// What every engine does, over real sockets on loopback. The themes derive from this, and each engine derives from the themes.
/// After each test the engine is stopped at once, and its books must balance, whatever the test did.
/// </summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal abstract class EngineContract(Func<EngineOptions, IEngine> create)
{
    private readonly List<Rig> _rigs = [];
    private readonly List<IDisposable> _peers = [];
    private readonly List<LedgerSample> _ledgers = [];

    [TearDown]
    public async Task Every_connection_is_accounted_for()
    {
        try
        {
            foreach (Rig rig in _rigs)
            {
                await rig.Engine.StopAsync(TimeSpan.Zero, new CancellationToken(canceled: true)).Soon();
                await rig.AtRestAsync();
                rig.AssertBooksBalance();
            }
        }
        finally
        {
            _peers.ForEach(p => p.Dispose());
            foreach (Rig rig in _rigs)
            {
                await rig.DisposeAsync().AsTask().Soon();
            }

            _ledgers.ForEach(AssertIsEmpty);
            _ledgers.ForEach(l => l.Dispose());
            _ledgers.Clear();

            // A test that is tried again uses the same instance.
            _peers.Clear();
            _rigs.Clear();
        }
    }

    protected IEngine Create(EngineOptions options) => create(options);

    protected IEngine NewEngine(
        RecordedConnections records, IReadOnlyList<int>? inherited = null, ILoggerFactory? log = null, HeldMemory? held = null, int workers = 2,
        IReadOnlyList<ListeningDescriptor>? takenOver = null, ConnectionLedger? ledger = null) =>
        create(new EngineOptions
        {
            Held = held ?? new HeldMemory(long.MaxValue),
            Clock = TimeProvider.System,
            Records = records,
            Loggers = log ?? NullLoggerFactory.Instance,
            Workers = workers,
            Inherited = inherited ?? [],
            TakenOver = takenOver ?? [],
            Ledger = ledger ?? (OperatingSystem.IsLinux() ? NewLedger().Ledger : null),
        });

    /// <summary>Everything runs with a ledger, which is empty when the engine has gone.</summary>
    protected LedgerSample NewLedger(LedgerShape? shape = null)
    {
        _ledgers.Add(new LedgerSample(shape ?? new LedgerShape(Workers: 8, Slots: 4096, Pipes: 256)));
        return _ledgers[^1];
    }

    /// <summary>What a process that took over now would read.</summary>
    protected LedgerReading ReadLedger(int engine = 0) => _ledgers[engine].Read();

    protected Rig Start(
        PoolSettings pool, ListenerSettings? listener = null, int maxConnections = 100_000, Action<ConnectionRecord>? onEstablished = null,
        IReadOnlyList<int>? inherited = null, ILoggerFactory? log = null, HeldMemory? held = null, int workers = 2) => Start(
        Settings.Config(pool, listener ?? Settings.Listener("127.0.0.1:0")), maxConnections, onEstablished, inherited, log, held, workers);

    protected Rig Start(
        BalancerConfig config, int maxConnections = 100_000, Action<ConnectionRecord>? onEstablished = null,
        IReadOnlyList<int>? inherited = null, ILoggerFactory? log = null, HeldMemory? held = null, int workers = 2, ConnectionLedger? ledger = null)
    {
        var records = new RecordedConnections(onEstablished);
        RoutingSnapshot snapshot = RoutingSnapshot.Build(new(config, maxConnections));
        var rig = new Rig(NewEngine(records, inherited, log, held, workers, ledger: ledger), snapshot, records) { Config = config };
        _rigs.Add(rig);
        Assert.That(rig.Start(), Is.Empty);
        return rig;
    }

    /// <summary>
    /// An engine as another process would have it: with a snapshot of its own, built of the same configuration, and with its own records.
    /// </summary>
    /// <param name="sockets">Duplicates of the sockets that the first one listens on; otherwise it binds its own.</param>
    /// <returns>Null where the engine hands nothing over: it says so, and the test has nothing more to see.</returns>
    protected async Task<Rig?> StartSecondAsync(Rig first, IReadOnlyList<ListeningDescriptor>? sockets = null)
    {
        if (!await HandsOverAsync(first))
        {
            return null;
        }

        var records = new RecordedConnections();
        RoutingSnapshot snapshot = RoutingSnapshot.Build(new(first.Config!, first.Snapshot.MaxConnections));
        snapshot.State.ContinueAfter(first.Snapshot.State.LastId + 1_000_000);
        var rig = new Rig(NewEngine(records, takenOver: sockets), snapshot, records) { Config = first.Config };
        _rigs.Add(rig);
        Assert.That(rig.Start(), Is.Empty);
        return rig;
    }

    /// <summary>Whether the engine can hand over connections; one that cannot has to say so.</summary>
    protected static async Task<bool> HandsOverAsync(Rig rig)
    {
        await using FrozenSlice? slice = await rig.Engine.FreezeAsync(1, CancellationToken.None).Soon();
        if (slice is not null)
        {
            return true;
        }

        Assert.That(async () => await rig.Engine.AdoptAsync([]), Throws.InstanceOf<NotSupportedException>());
        Assert.That(async () => await rig.Engine.TakeFrozenAsync([]), Throws.InstanceOf<NotSupportedException>());
        Assert.That(async () => await rig.Engine.StopAcceptingAsync(), Throws.InstanceOf<NotSupportedException>());
        Assert.That(rig.Engine.ShareListening, Throws.InstanceOf<NotSupportedException>());
        Assert.That(await rig.Engine.CookiesAsync().Soon(), Is.Empty);
        Assert.That(rig.Engine.ResumeAccepting, Throws.InstanceOf<NotSupportedException>());
        Assert.That(rig.Engine.ListeningDescriptors, Is.Empty);
        return false;
    }

    /// <summary>Ends it after the test. From any thread: tests open connections from several at once.</summary>
    protected T Keep<T>(T peer)
        where T : IDisposable
    {
        lock (_peers)
        {
            _peers.Add(peer);
        }

        return peer;
    }

    protected TestBackend Backend(string address = "127.0.0.1", int receiveBuffer = 0) => Keep(TestBackend.Listening(address, receiveBuffer));

    protected async Task<Peer> ConnectAsync(Rig rig, int sendBuffer = 0) => Keep(await Peer.ConnectAsync(rig.Address, sendBuffer));

    /// <summary>A connection through the engine, both its ends in hand.</summary>
    protected async Task<(Peer Client, Peer Server)> OpenAsync(Rig rig, TestBackend backend, int sendBuffer = 0)
    {
        Peer client = await ConnectAsync(rig, sendBuffer);
        Peer server = Keep(await backend.AcceptAsync());
        await Patience.Until(() => rig.Records.IsEstablished(client.Local), "the engine knows of it too");
        return (client, server);
    }

    /// <summary>A client that is reset without a byte; so soon, it may be, that its connect already fails.</summary>
    protected static Task ExpectResetAsync(Rig rig, string? from = null) => ExpectResetAsync(rig.Address, from);

    protected static async Task ExpectResetAsync(Endpoint address, string? from = null)
    {
        Received received;
        try
        {
            using Peer client = await Peer.ConnectAsync(address, from: from);
            received = await client.ReceiveAllAsync();
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.ConnectionReset)
        {
            received = new Received(0, "", StreamEnd.Reset);
        }

        Assert.That((received.Bytes, received.End), Is.EqualTo((0L, StreamEnd.Reset)));
    }

    /// <summary>An engine before a backend that echoes.</summary>
    protected (Rig Rig, PoolSettings Pool) StartEcho()
    {
        TestBackend backend = Backend();
        backend.ServeEcho();
        PoolSettings pool = Settings.Pool(backend);
        return (Start(pool, Settings.Listener("127.0.0.1:0")), pool);
    }

    /// <summary>A byte there and back.</summary>
    protected static async Task AskAsync(Peer peer)
    {
        await peer.SendAsync(new byte[1]);
        await peer.ReceiveAsync(1);
    }

    protected async Task VisitAsync(Endpoint endpoint) => await AskAsync(Keep(await Peer.ConnectAsync(endpoint)));

    private static void AssertIsEmpty(LedgerSample ledger)
    {
        LedgerReading read = ledger.Read();
        Assert.That(
            (read.Fault, read.Connections.Count, read.Listening.Count, read.Pipes.Count), Is.EqualTo((LedgerFault.None, 0, 0, 0)), "the ledger at the end");
    }

    /// <summary>Lets both ends finish in an orderly way.</summary>
    protected static async Task FinishAsync(Peer client, Peer server)
    {
        client.Finish();
        Assert.That((await server.ReceiveAllAsync()).End, Is.EqualTo(StreamEnd.Fin));
        server.Finish();
        Assert.That((await client.ReceiveAllAsync()).End, Is.EqualTo(StreamEnd.Fin));
    }
}
