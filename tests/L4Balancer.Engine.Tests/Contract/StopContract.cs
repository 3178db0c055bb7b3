using System.Diagnostics;
using System.Net.Sockets;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Connections;
using L4Balancer.Engine.Tests.Peers;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Testing;

namespace L4Balancer.Engine.Tests.Contract;

/// <summary>Stopping ends every connection as <c>shutdown</c>, in the time that is given for it.</summary>
[Parallelizable(ParallelScope.All)]
internal abstract class StopContract(Func<EngineOptions, IEngine> create) : EngineContract(create)
{
    private const int Many = 20;

    [Test]
    public async Task Without_grace_every_connection_is_closed_at_once_and_orderly()
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend));
        List<(Peer Client, Peer Server)> pairs = await OpenManyAsync(rig, backend);

        Task stopping = rig.Engine.StopAsync(TimeSpan.Zero, CancellationToken.None);
        foreach ((Peer client, Peer server) in pairs)
        {
            Assert.That((await client.ReceiveAllAsync()).End, Is.EqualTo(StreamEnd.Fin));
            Assert.That((await server.ReceiveAllAsync()).End, Is.EqualTo(StreamEnd.Fin));
            client.Finish();
            server.Finish();
        }

        await stopping.Soon();
        Assert.That(rig.ClosedAs(CloseReason.Shutdown), Is.EqualTo(Many));
        Assert.That(() => Peer.ConnectAsync(rig.Address), Throws.InstanceOf<SocketException>(), "nobody listens any more");
    }

    [Test]
    public async Task What_is_asked_while_it_stops_and_afterwards_is_answered()
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend));
        await OpenManyAsync(rig, backend);
        using var atOnce = new CancellationTokenSource();
        await atOnce.CancelAsync();

        Task stopping = rig.Engine.StopAsync(TimeSpan.Zero, atOnce.Token);
        Task<bool> asking = Task.Run(() =>
        {
            // Across the moment in which the last thread ends.
            for (int after = 0; after < 100; after += stopping.IsCompleted ? 1 : 0)
            {
                rig.Engine.List(static _ => { });
                _ = rig.Engine.Count;
            }

            return rig.Engine.Close(1, CloseReason.Admin);
        });

        await stopping.Soon();
        Assert.That(await asking.WaitAsync(Patience.Limit), Is.False);
    }

    [Test]
    public async Task With_grace_the_closes_are_spread_over_it()
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend));
        List<(Peer Client, Peer Server)> pairs = await OpenManyAsync(rig, backend);
        Task[] leaving = [.. pairs.SelectMany(p => new[] { LeaveWhenToldAsync(p.Client), LeaveWhenToldAsync(p.Server) })];

        long start = Stopwatch.GetTimestamp();
        await rig.Engine.StopAsync(TimeSpan.FromSeconds(2), CancellationToken.None).Soon();
        TimeSpan took = Stopwatch.GetElapsedTime(start);
        await Task.WhenAll(leaving);

        var ends = new List<ConnectionRecord>();
        for (int i = 0; i < Many; i++)
        {
            ends.Add(await rig.Records.NextEndAsync());
        }

        using (Assert.EnterMultipleScope())
        {
            Assert.That(ends.Select(e => e.Reason), Is.All.EqualTo(CloseReason.Shutdown));
            Assert.That(took, Is.InRange(TimeSpan.FromSeconds(1.5), TimeSpan.FromSeconds(6)));
            Assert.That(ends.Max(e => e.EndedAt) - ends.Min(e => e.EndedAt), Is.GreaterThan(TimeSpan.FromSeconds(1)));
        }
    }

    [Test]
    public async Task Nobody_waits_for_a_grace_that_nobody_needs_any_more()
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend));
        List<(Peer Client, Peer Server)> pairs = await OpenManyAsync(rig, backend);

        Task stopping = rig.Engine.StopAsync(TimeSpan.FromDays(365), CancellationToken.None);
        foreach ((Peer client, Peer server) in pairs)
        {
            await FinishAsync(client, server);
        }

        await stopping.Soon();
        Assert.That(rig.ClosedAs(CloseReason.ClientClosed), Is.GreaterThanOrEqualTo(Many - 1), "the grace had begun with one of them");
    }

    [Test]
    public async Task At_once_resets_whatever_is_left_of_the_grace()
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend));
        List<(Peer Client, Peer Server)> pairs = await OpenManyAsync(rig, backend);
        using var atOnce = new CancellationTokenSource();

        Task stopping = rig.Engine.StopAsync(TimeSpan.FromMinutes(10), atOnce.Token);
        await Patience.Until(() => !CanConnect(rig), "nobody listens any more");
        await atOnce.CancelAsync();
        await stopping.Soon();

        Assert.That(rig.ClosedAs(CloseReason.Shutdown), Is.EqualTo(Many));
        int reset = 0;
        foreach ((Peer client, Peer server) in pairs)
        {
            StreamEnd end = (await client.ReceiveAllAsync()).End;
            Assert.That((await server.ReceiveAllAsync()).End, Is.EqualTo(end));
            reset += end == StreamEnd.Reset ? 1 : 0;
        }

        Assert.That(reset, Is.GreaterThanOrEqualTo(Many - 1), "the grace had begun with one of them, in good order");
    }

    [Test]
    public async Task At_once_ends_orderly_closes_that_still_wait_for_their_peers()
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend));
        await OpenManyAsync(rig, backend);
        using var atOnce = new CancellationTokenSource();

        long start = Stopwatch.GetTimestamp();
        Task stopping = rig.Engine.StopAsync(TimeSpan.Zero, atOnce.Token);
        await atOnce.CancelAsync();
        await stopping.Soon();

        Assert.That(Stopwatch.GetElapsedTime(start), Is.LessThan(TimeSpan.FromSeconds(4)), "not the five seconds of an orderly close");
        Assert.That(rig.ClosedAs(CloseReason.Shutdown), Is.EqualTo(Many));
    }

    [Test]
    public async Task Connections_without_a_backend_yet_are_refused_at_once()
    {
        Rig rig = Start(Settings.Pool(Keep(await TestBackend.SilentAsync())) with { ConnectTimeout = TimeSpan.FromSeconds(30) });
        Peer client = await ConnectAsync(rig);
        await Patience.Until(() => rig.Listener.Pending == 1, "it is pending");

        await rig.Engine.StopAsync(TimeSpan.FromMinutes(10), CancellationToken.None).Soon();

        Assert.That((await client.ReceiveAllAsync()).End, Is.EqualTo(StreamEnd.Reset));
        Assert.That(rig.Listener.Refused[CloseReason.Shutdown], Is.EqualTo(1));
    }

    [Test]
    public async Task Stopping_while_busy_loses_no_connection_from_the_books()
    {
        TestBackend backend = Backend();
        backend.ServeEcho();
        Rig rig = Start(Settings.Pool(backend));
        Task[] busy = [.. Enumerable.Range(0, Many).Select(_ => EchoUntilEndedAsync(rig))];
        await Patience.Until(() => rig.Backend().BytesToClient > 1_000_000, "bytes flow");

        using var atOnce = new CancellationTokenSource();
        Task stopping = rig.Engine.StopAsync(TimeSpan.FromSeconds(1), atOnce.Token);
        await stopping.Soon();
        await Task.WhenAll(busy).Soon();

        Assert.That(rig.Listener.Accepted, Is.EqualTo(Many));
        Assert.That(rig.ClosedAs(CloseReason.Shutdown), Is.EqualTo(Many));
    }

    [Test]
    public async Task A_thread_that_hangs_does_not_keep_the_engine_from_stopping([Values] bool atOnce)
    {
        using var released = new ManualResetEventSlim();
        var log = new FakeLogCollector();
        using var loggers = new LoggerFactory([new FakeLoggerProvider(log)]);
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend), onEstablished: _ => released.Wait(TimeSpan.FromMinutes(1)), log: loggers);
        await ConnectAsync(rig);
        await Patience.Until(() => rig.Records.EstablishedCount == 1, "the thread hangs");
        try
        {
            await rig.Engine.StopAsync(TimeSpan.Zero, new CancellationToken(canceled: atOnce)).WaitAsync(TimeSpan.FromSeconds(atOnce ? 20 : 30));
            Assert.That(rig.Engine.Count, Is.EqualTo(1), "it is still counted");
            FakeLogRecord line = log.GetSnapshot().Single(r => r.Level == LogLevel.Error);
            Assert.That(line.Message, Does.Contain("connection 1 from 127.0.0.1:").Or.Contain("does not respond (connections: 1)"));
        }
        finally
        {
            released.Set();
        }
    }

    private static bool CanConnect(Rig rig)
    {
        using var probe = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            probe.Bind(rig.Address.ToIPEndPoint());
            return false;
        }
        catch (SocketException)
        {
            return true;
        }
    }

    private static async Task LeaveWhenToldAsync(Peer peer)
    {
        Assert.That((await peer.ReceiveAllAsync()).End, Is.EqualTo(StreamEnd.Fin));
        peer.Finish();
    }

    /// <summary>Asks and is answered again and again; when the other side has finished or reset, so does this one.</summary>
    private async Task EchoUntilEndedAsync(Rig rig)
    {
        Peer client = await ConnectAsync(rig);
        byte[] bytes = new byte[10_000];
        try
        {
            while (true)
            {
                await client.SendAsync(bytes);
                await client.ReceiveAsync(bytes.Length);
            }
        }
        catch (Exception e) when (e is SocketException or EndOfStreamException)
        {
            client.Dispose();
        }
    }

    private async Task<List<(Peer Client, Peer Server)>> OpenManyAsync(Rig rig, TestBackend backend)
    {
        var pairs = new List<(Peer, Peer)>();
        for (int i = 0; i < Many; i++)
        {
            pairs.Add(await OpenAsync(rig, backend));
        }

        await Patience.Until(() => rig.Records.EstablishedCount == Many, "all are established");
        return pairs;
    }
}
