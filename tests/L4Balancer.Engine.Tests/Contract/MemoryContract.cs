using System.Runtime.CompilerServices;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Config;
using L4Balancer.Core.Routing;
using L4Balancer.Engine.Tests.Peers;

namespace L4Balancer.Engine.Tests.Contract;

/// <summary>What connections hold is bounded while they live, and given back afterwards. Engine and peers are one process here.</summary>
[NonParallelizable]
internal abstract class MemoryContract(Func<EngineOptions, IEngine> create) : EngineContract(create)
{
    private const long MiB = 1024 * 1024;

    private readonly byte[] _shared = new byte[20_000];

    /// <summary>Managed bytes that one idle connection may cost, the two peers of the test included.</summary>
    protected virtual long IdleBound => 24 * 1024;

    [Test]
    public async Task A_slow_reader_stops_the_sender_and_loses_nothing([Values] bool byClient)
    {
        const long all = 96 * MiB;
        TestBackend backend = Backend(receiveBuffer: 64 * 1024);
        Rig rig = Start(Settings.Pool(backend));
        long before = GC.GetTotalMemory(forceFullCollection: true);
        (Peer client, Peer server) = await OpenAsync(rig, backend, sendBuffer: 64 * 1024);
        (Peer from, Peer to) = byClient ? (client, server) : (server, client);

        Task<string> sending = from.SendPatternAsync(14, all);
        await Patience.UntilStill(() => from.Sent, TimeSpan.FromMilliseconds(500));
        long sent = from.Sent;
        long grown = GC.GetTotalMemory(forceFullCollection: true) - before;
        Core.Connections.ConnectionRecord record = rig.List().Single();
        long written = byClient ? record.BytesToBackend : record.BytesToClient;
        long held = EngineSocket.Find(from.Remote, from.Local).BytesRead - written;
        using (Assert.EnterMultipleScope())
        {
            Assert.That(sent, Is.LessThan(all), "the sender is blocked");
            Assert.That(written, Is.GreaterThan(0));
            Assert.That(held, Is.InRange(0, MiB), "bytes in the engine's own hands");
            Assert.That(grown, Is.LessThan(2 * MiB), "managed memory, the test's own buffers included");
        }

        Task<Received> receiving = to.ReceiveAllAsync();
        string digest = await sending;
        from.Finish();
        Assert.That(await receiving, Is.EqualTo(new Received(all, digest, StreamEnd.Fin)));
    }

    [Test]
    public async Task An_idle_connection_holds_no_buffer()
    {
        const int connections = 1000;
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend));
        await UseAsync(await OpenAsync(rig, backend));
        long before = GC.GetTotalMemory(forceFullCollection: true);

        for (int i = 0; i < connections; i++)
        {
            await UseAsync(await OpenAsync(rig, backend));
        }

        await SettleAsync(() => (GC.GetTotalMemory(forceFullCollection: true) - before) / connections < IdleBound);
        long each = (GC.GetTotalMemory(forceFullCollection: true) - before) / connections;
        TestContext.Out.WriteLine($"{each} managed bytes for each idle connection");
        Assert.That(each, Is.LessThan(IdleBound));
    }

    [Test]
    public async Task Ten_thousand_short_connections_leave_nothing_behind()
    {
        const int connections = 10_000;
        TestBackend backend = Backend();
        backend.ServeEcho();
        Rig rig = Start(Settings.Pool(backend));
        await ComeAndGoAsync(rig, 500);
        await rig.AtRestAsync();
        rig.Records.Forget();
        int descriptors = EngineSocket.CountDescriptors();
        long memory = GC.GetTotalMemory(forceFullCollection: true);

        Task[] clients = [.. Enumerable.Range(0, 10).Select(_ => Task.Run(() => ComeAndGoAsync(rig, connections / 10)))];
        await Task.WhenAll(clients).WaitAsync(TimeSpan.FromSeconds(60));
        await rig.AtRestAsync();
        rig.Records.Forget();

        await SettleAsync(() => EngineSocket.CountDescriptors() <= descriptors && GC.GetTotalMemory(forceFullCollection: true) < memory + (2 * MiB));
        TestContext.Out.WriteLine($"memory {memory} -> {GC.GetTotalMemory(true)}, descriptors {descriptors} -> {EngineSocket.CountDescriptors()}");
        using (Assert.EnterMultipleScope())
        {
            Assert.That(rig.Listener.Accepted, Is.EqualTo(connections + 500));
            Assert.That(rig.ClosedAs(CloseReason.ClientClosed), Is.EqualTo(connections + 500));
            Assert.That(EngineSocket.CountDescriptors(), Is.LessThanOrEqualTo(descriptors));
            Assert.That(GC.GetTotalMemory(forceFullCollection: true), Is.LessThan(memory + (2 * MiB)));
        }
    }

    [Test]
    public async Task An_old_snapshot_is_collected_while_its_connections_live()
    {
        const int publishes = 50;
        TestBackend backend = Backend();
        PoolSettings pool = Settings.Pool(backend);
        Rig rig = Start(pool);
        List<WeakReference<Pool>> old = [];
        for (int i = 1; i <= publishes; i++)
        {
            await OpenAsync(rig, backend);
            old.Add(WeakPool(rig));
            rig.Publish(Weighted(pool, i));
        }

        await SettleAsync(() => Alive(old) == 0);
        Assert.That(Alive(old), Is.Zero, "pools that only established connections could still know");
        Assert.That(rig.List(), Has.Count.EqualTo(publishes));
    }

    [Test]
    public async Task Two_hundred_weight_changes_cost_their_connections_nothing()
    {
        const int changes = 200;
        const int backends = 40;
        TestBackend backend = Backend();
        BackendSettings real = Settings.Backend(backend, "b");
        PoolSettings pool = Settings.Pool() with
        {
            Backends = [.. Enumerable.Range(1, backends).Select(i => real with { Name = $"b{i}", Address = $"10.0.0.{i}:80" })],
        };
        Rig rig = Start(pool);
        await OpenAsync(rig, backend);
        long before = GC.GetTotalMemory(forceFullCollection: true);
        for (int i = 1; i <= changes; i++)
        {
            rig.Publish(Weighted(pool, i));
            await OpenAsync(rig, backend);
        }

        await SettleAsync(() => Grown() < changes * IdleBound);
        TestContext.Out.WriteLine($"{Grown() / changes} managed bytes for each connection and the snapshot that it came by");
        Assert.That(Grown(), Is.LessThan(changes * IdleBound), "about half a megabyte each, where a connection holds a ring");

        long Grown() => GC.GetTotalMemory(forceFullCollection: true) - before;
    }

    private static BalancerConfig Weighted(PoolSettings pool, int weight) => Settings.Config(
        pool with { Backends = [pool.Backends[0] with { Weight = weight }, .. pool.Backends[1..]] }, Settings.Listener("127.0.0.1:0"));

    // Not inlined: a local of the test would keep the pool alive.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static WeakReference<Pool> WeakPool(Rig rig) => new(rig.Pool);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static int Alive(List<WeakReference<Pool>> pools)
    {
        GC.Collect();
        return pools.Count(p => p.TryGetTarget(out _));
    }

    /// <summary>With one buffer for all: sockets remember the last one that they were given.</summary>
    private async Task UseAsync((Peer Client, Peer Server) pair)
    {
        await pair.Client.SendAsync(_shared);
        await pair.Server.ReceiveAsync(_shared);
        await pair.Server.SendAsync(_shared);
        await pair.Client.ReceiveAsync(_shared);
    }

    private static async Task ComeAndGoAsync(Rig rig, int times)
    {
        for (int i = 0; i < times; i++)
        {
            using Peer client = await Peer.ConnectAsync(rig.Address);
            await client.SendAsync("once"u8.ToArray());
            client.Finish();
            Received received = await client.ReceiveAllAsync();
            Assert.That((received.Bytes, received.End), Is.EqualTo((4L, StreamEnd.Fin)));
        }
    }

    /// <summary>Gives what is being given back a few seconds; the assertion after it says what is still missing.</summary>
    private static async Task SettleAsync(Func<bool> settled)
    {
        for (int i = 0; i < 20 && !settled(); i++)
        {
            await Patience.Elapse(TimeSpan.FromMilliseconds(100));
        }
    }
}
