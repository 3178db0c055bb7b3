using L4Balancer.Core.Accounting;
using L4Balancer.Core.Pacing;
using L4Balancer.Core.Routing;
using L4Balancer.Engine.Epoll;
using L4Balancer.Engine.Linux;
using L4Balancer.Engine.Loop;
using L4Balancer.Engine.Tests.Contract;
using L4Balancer.Engine.Tests.Epoll;
using L4Balancer.Engine.Tests.Peers;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Logging.Testing;

namespace L4Balancer.Engine.Tests.Loop;

/// <summary>An exception in an event loop ends what it was about, and never the loop, which would be the end of the process.</summary>
internal sealed class LoopGuardTests() : EpollFixture(workers: 2)
{
    [TestCase("Socket", true)]
    [TestCase("Connect", true)]
    [TestCase("EpollAdd", true)]
    [TestCase("Accept", false)]
    public async Task A_fault_on_the_way_in_costs_one_connection_at_most(string call, bool ends)
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend));
        SystemFault.Installed = new ThrowingCalls(Enum.Parse<SystemCall>(call), times: 1);
        if (ends)
        {
            await ExpectResetAsync(rig);
            Assert.That((await rig.Records.NextEndAsync()).Reason, Is.EqualTo(CloseReason.Internal));
            Assert.That(rig.Listener.Refused[CloseReason.Internal], Is.EqualTo(1));
        }

        (Peer client, Peer server) = await OpenAsync(rig, backend);
        await FinishAsync(client, server);
    }

    [Test]
    public async Task A_fault_of_accept_that_stays_makes_no_loop_spin_and_fills_no_log()
    {
        TestBackend backend = Backend();
        var log = new FakeLogCollector();
        using var loggers = new LoggerFactory([new FakeLoggerProvider(log)]);
        Rig rig = Start(Settings.Pool(backend), log: loggers);
        log.Clear();
        var throwing = new ThrowingCalls(SystemCall.Accept);
        SystemFault.Installed = throwing;
        Peer client = await ConnectAsync(rig);
        await Patience.Until(() => throwing.Count > 3, "it is tried again");
        await Patience.Elapse(TimeSpan.FromSeconds(1));
        Assert.That(throwing.Count, Is.LessThan(50));
        Assert.That(log.Count, Is.InRange(1, 2 * WorkersOf(rig).Count), "lines");

        SystemFault.Installed = null;
        await FinishAsync(client, Keep(await backend.AcceptAsync()));
    }

    [Test]
    public async Task Who_asks_an_event_loop_is_told_of_the_exception_and_the_loop_goes_on()
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend));
        (Peer client, Peer server) = await OpenAsync(rig, backend);
        var order = new ShedOrder
        {
            Reason = CloseReason.Rebalance,
            CloseRate = CloseRate.Within(TimeSpan.Zero),
            Rank = static _ => throw new InvalidOperationException("a rank of the test"),
        };

        Assert.That(async () => await rig.Engine.ShedAsync(order, CancellationToken.None).Soon(), Throws.InvalidOperationException);
        await rig.Engine.PingLoopsAsync().Soon();
        await FinishAsync(client, server);
    }

    [Test]
    public async Task A_request_that_throws_ends_no_loop()
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend));
        foreach (Worker worker in WorkersOf(rig))
        {
            worker.Mailbox.TryPost(static _ => throw new InvalidOperationException("a request of the test"));
        }

        await rig.Engine.PingLoopsAsync().Soon();
        (Peer client, Peer server) = await OpenAsync(rig, backend);
        await FinishAsync(client, server);
    }

    [Test]
    public async Task A_fault_outside_every_step_loses_no_event_of_a_connection()
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend));
        (Peer client, Peer server) = await OpenAsync(rig, backend);
        var throwing = new ThrowingCalls(SystemCall.EpollWait, times: 8);
        SystemFault.Installed = throwing;
        for (int i = 0; throwing.Count <= 8 && i < 1000; i++)
        {
            await AskAsync(client, server);
        }

        SystemFault.Installed = null;
        Assert.That(throwing.Count, Is.GreaterThan(8));
        (Peer next, Peer nextServer) = await OpenAsync(rig, backend);
        await FinishAsync(next, nextServer);
        await FinishAsync(client, server);
    }

    [TestCase(false)]
    [TestCase(true)]
    public async Task Events_of_an_iteration_that_failed_are_made_up_for(bool finishes)
    {
        TestBackend backend = Backend();
        var clock = new FailingClock();
        await using var engine = new EpollEngine(new EngineOptions
        {
            Clock = clock,
            Records = new RecordedConnections(),
            Loggers = NullLoggerFactory.Instance,
            Workers = 1,
        });
        Assert.That(engine.Start(RoutingSnapshot.Build(new(Settings.Config(Settings.Pool(backend), Settings.Listener("127.0.0.1:0")), 100))), Is.Empty);
        Peer client = Keep(await Peer.ConnectAsync(engine.Bound[0]));
        Peer server = Keep(await backend.AcceptAsync());
        await AskAsync(client, server);
        clock.Fails = true;
        await client.SendAsync(new byte[1]);
        if (finishes)
        {
            // Bytes and FIN are in one edge: a short read does not find the FIN.
            client.Finish();
        }

        int before = clock.Failures;
        await Patience.Until(() => clock.Failures > before + 5, "iterations fail after the poller has returned the event");
        clock.Fails = false;

        await server.ReceiveAsync(1);
        if (finishes)
        {
            Assert.That((await server.ReceiveAllAsync().Soon()).End, Is.EqualTo(StreamEnd.Fin));
        }

        client.Reset();
        await Patience.Until(() => engine.Count == 0, "it has ended");
    }

    [Test]
    public async Task A_fault_while_accepting_begins_again_is_met_by_trying_later()
    {
        TestBackend backend = Backend();
        backend.ServeEcho();
        Rig rig = Start(Settings.Pool(backend));
        var faults = new PausedThenBroken(WorkersOf(rig).Count);
        SystemFault.Installed = faults;
        List<Peer> clients = [];
        while (!faults.HaveCome && clients.Count < 200)
        {
            clients.Add(await ConnectAsync(rig));
            await Patience.Elapse(TimeSpan.FromMilliseconds(20));
        }

        Assert.That(faults.HaveCome, Is.True, "every loop has paused, and could not go on");
        foreach (Peer client in clients)
        {
            await AskAsync(client);
        }
    }

    [Test]
    public async Task A_fault_while_bytes_are_written_ends_that_connection_as_internal()
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend));
        (Peer client, Peer server) = await OpenAsync(rig, backend);
        (Peer other, Peer otherServer) = await OpenAsync(rig, backend);
        SystemFault.Installed = new ThrowingCalls(SystemCall.Recv, times: 1);
        await client.SendAsync(new byte[1]);
        Assert.That((await client.ReceiveAllAsync().Soon()).End, Is.EqualTo(StreamEnd.Reset));
        Assert.That((await server.ReceiveAllAsync().Soon()).End, Is.EqualTo(StreamEnd.Reset));
        Assert.That((await rig.Records.NextEndAsync()).Reason, Is.EqualTo(CloseReason.Internal));

        await FinishAsync(other, otherServer);
    }

    private static async Task AskAsync(Peer client, Peer server)
    {
        await client.SendAsync(new byte[1]);
        await server.ReceiveAsync(1);
        await server.SendAsync(new byte[1]);
        await client.ReceiveAsync(1);
    }

    /// <summary>The first accept of every loop lacks a descriptor, and when it begins again, the first registration throws.</summary>
    private sealed class PausedThenBroken(int loops) : SystemFault
    {
        private readonly HashSet<int> _paused = [];
        private readonly HashSet<int> _broken = [];

        public bool HaveCome
        {
            get
            {
                lock (_paused)
                {
                    return _broken.Count == loops;
                }
            }
        }

        public override Errno Before(SystemCall call, int descriptor)
        {
            int loop = Environment.CurrentManagedThreadId;
            lock (_paused)
            {
                if (call == SystemCall.Accept && _broken.Count < loops)
                {
                    _paused.Add(loop);
                    return Errno.EMFILE;
                }

                return call == SystemCall.EpollAdd && _paused.Contains(loop) && _broken.Add(loop)
                    ? throw new InvalidOperationException("a fault of the test")
                    : Errno.None;
            }
        }
    }
}
