using System.Diagnostics;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Config;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Timing;
using L4Balancer.Engine.Epoll;
using L4Balancer.Engine.Loop;
using L4Balancer.Engine.Tests.Contract;
using L4Balancer.Engine.Tests.Epoll;
using L4Balancer.Engine.Tests.Peers;
using Microsoft.Extensions.Logging.Abstractions;

namespace L4Balancer.Engine.Tests.Loop;

/// <summary>What is asked of the event loops, and what that costs them.</summary>
internal sealed class WorkerTests() : EpollFixture(workers: 1)
{
    [Test]
    public async Task Connections_whose_sink_is_blocked_and_whose_source_has_ended_cost_no_processor()
    {
        const int Count = 200;
        TestBackend backend = Backend();
        backend.Serve(async peer =>
        {
            peer.Socket.Blocking = false;
            try
            {
                while (true)
                {
                    peer.Socket.Send(new byte[64 * 1024]);
                }
            }
            catch (System.Net.Sockets.SocketException)
            {
                // Everything between here and the client is full.
                peer.Finish();
            }

            // Until the engine closes it.
            await peer.Socket.ReceiveAsync(new byte[1].AsMemory());
        });
        Rig rig = Start(Settings.Pool(backend));
        for (int i = 0; i < Count; i++)
        {
            await ConnectAsync(rig);
        }

        await Patience.UntilStill(() => rig.Backend().BytesToClient, TimeSpan.FromMilliseconds(500));
        TimeSpan before = Busy();
        await Patience.Elapse(TimeSpan.FromSeconds(1));
        Assert.That(Busy() - before, Is.LessThan(TimeSpan.FromMilliseconds(50)));

        TimeSpan Busy() => rig.Engine.LoopStatistics().Aggregate(TimeSpan.Zero, (sum, l) => sum + l.CpuTime);
    }

    [Test]
    public async Task What_is_left_at_a_stop_is_described_in_one_time_for_all_loops_that_hang()
    {
        const int Loops = 10;
        using var released = new ManualResetEventSlim();
        await using var engine = new EpollEngine(new EngineOptions
        {
            Clock = TimeProvider.System,
            Records = new RecordedConnections(),
            Loggers = NullLoggerFactory.Instance,
            Workers = Loops,
        });
        TestBackend backend = Backend();
        Assert.That(engine.Start(RoutingSnapshot.Build(new(Settings.Config(Settings.Pool(backend), Settings.Listener("127.0.0.1:0")), 100))), Is.Empty);
        foreach (Worker worker in engine.Workers)
        {
            worker.Mailbox.TryPost(_ => released.Wait(TimeSpan.FromMinutes(1)));
        }

        try
        {
            var taken = Stopwatch.StartNew();
            IReadOnlyList<string> rest = await engine.StopSteps.DescribeRestAsync(10).Soon();
            Assert.That(rest, Has.Count.EqualTo(Loops).And.All.Contains("does not respond"));
            Assert.That(taken.Elapsed, Is.LessThan(TimeSpan.FromSeconds(1)), "one after the other they take two");
        }
        finally
        {
            released.Set();
        }
    }

    [Test]
    public async Task A_listing_takes_a_slice_at_a_time()
    {
        const int connections = 8000;
        Rig rig = Start(Settings.Pool(Backend()));
        (List<int> counts, TimeSpan longest) = await AskAsync(rig, w =>
        {
            for (int i = 0; i < connections; i++)
            {
                w.Slots[w.Slots.Rent()].State = SlotState.Established;
            }

            List<int> counts = [];
            TimeSpan longest = TimeSpan.Zero;
            var slice = new OpenConnection[ConnectionScan.Slice];
            for (int next = 0; next >= 0;)
            {
                // Of the thread: the machine may have given the processor to others meanwhile.
                TimeSpan start = w.Clock.Total;
                (int count, next) = ConnectionScan.Copy(w, next, slice);
                TimeSpan took = w.Clock.Total - start;
                longest = took > longest ? took : longest;
                counts.Add(count);
            }

            for (int i = 0; i < connections; i++)
            {
                w.Slots.Return(i);
            }

            return (counts, longest);
        });

        TestContext.Out.WriteLine($"the longest of {counts.Count} slices of {connections} connections: {longest.TotalMicroseconds:F0} µs of CPU");
        Assert.That(counts, Is.All.LessThanOrEqualTo(ConnectionScan.Slice));
        Assert.That(counts.Sum(), Is.EqualTo(connections));
    }

    [Test]
    public async Task What_is_asked_next_waits_until_events_had_their_turn()
    {
        Rig rig = Start(Settings.Pool(Backend()));
        var next = new TaskCompletionSource<Instant>(TaskCreationOptions.RunContinuationsAsynchronously);
        Instant first = await AskAsync(rig, w =>
        {
            w.Mailbox.TryPost(later => next.SetResult(later.Now));
            return w.Now;
        });

        Assert.That(await next.Task.Soon(), Is.GreaterThan(first), "the loop has come round");
    }

    [Test]
    public async Task No_turn_is_told_of_while_a_worker_hangs()
    {
        Rig rig = Start(Settings.Pool(Backend()));
        Task turn;
        using (await HoldAsync(rig))
        {
            turn = rig.Engine.PingLoopsAsync();
            await Patience.Elapse(TimeSpan.FromMilliseconds(200));
            Assert.That(turn.IsCompleted, Is.False);
        }

        await turn.Soon();
    }

    [Test]
    public async Task The_load_is_what_a_thread_has_and_spends()
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend));
        await OpenAsync(rig, backend);
        TimeSpan before = rig.Engine.LoopStatistics().Single().CpuTime;
        await AskAsync(rig, w =>
        {
            TimeSpan end = w.Clock.Total + TimeSpan.FromMilliseconds(50);
            long start = Stopwatch.GetTimestamp();
            while (w.Clock.Total < end && Stopwatch.GetElapsedTime(start) < Patience.Limit / 3)
            {
            }

            return true;
        });

        WorkerLoad load = rig.Engine.LoopStatistics().Single();
        Assert.That((load.Worker, load.Connections), Is.EqualTo((0, 1)));
        Assert.That(load.CpuTime - before, Is.InRange(TimeSpan.FromMilliseconds(50), TimeSpan.FromSeconds(5)));

        await rig.Engine.StopAsync(TimeSpan.Zero, new CancellationToken(canceled: true)).Soon();
        Assert.That(rig.Engine.LoopStatistics().Single().CpuTime, Is.GreaterThanOrEqualTo(load.CpuTime), "what it had spent when it ended");
    }

    [Test]
    public async Task What_is_queued_when_an_address_leaves_is_served_however_late_the_workers_are()
    {
        const int queued = 100;
        TestBackend backend = Backend();
        backend.ServeEcho();
        PoolSettings pool = Settings.Pool(backend);
        Rig rig = Start(pool);
        ListenerState listener = rig.Listener;
        List<Peer> clients = [];
        using (await HoldAsync(rig))
        {
            for (int i = 0; i < queued; i++)
            {
                clients.Add(await ConnectAsync(rig));
            }

            rig.Publish(Settings.Config(pool, Settings.Listener("127.0.0.2:0") with { Name = "other" }));
            await Patience.Elapse(TimeSpan.FromSeconds(1.2));
        }

        foreach (Peer client in clients)
        {
            await client.SendAsync(new byte[1]);
            await client.ReceiveAsync(1);
        }

        await Patience.Until(() => EngineSocket.TryFindListening(rig.Address) is null, "it is closed then");
        Assert.That(listener.Accepted, Is.EqualTo(queued));
    }

    [Test]
    public async Task A_late_event_of_a_listening_socket_that_is_watched_no_more_is_not_heard()
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend));
        LoopListeningSocket listening = ((EpollEngine)rig.Engine).Listening[0];
        await AskAsync(rig, w =>
        {
            w.Acceptor.Unwatch(listening);
            return true;
        });
        Peer client = await ConnectAsync(rig);
        await AskAsync(rig, w =>
        {
            w.Acceptor.Accept(listening.Number);
            return true;
        });
        Assert.That(rig.Listener.Accepted, Is.Zero);

        WorkersOf(rig)[0].Mailbox.TryPost(w => w.Acceptor.Watch(listening));
        await FinishAsync(client, Keep(await backend.AcceptAsync()));
    }
}
