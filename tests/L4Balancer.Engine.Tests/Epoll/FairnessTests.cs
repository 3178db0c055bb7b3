using System.Diagnostics;
using L4Balancer.Engine.Epoll;
using L4Balancer.Engine.Linux;
using L4Balancer.Engine.Loop;
using L4Balancer.Engine.Tests.Contract;
using L4Balancer.Engine.Tests.Peers;

namespace L4Balancer.Engine.Tests.Epoll;

/// <summary>The work of one turn is bounded: nobody starves, and who is cut off goes on in the next round.</summary>
internal sealed class FairnessTests() : EpollFixture(workers: 1)
{
    private const int Talkers = 64;

    [Test]
    public async Task Bulk_streams_starve_no_ping_pong()
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend));
        List<(Peer Client, Peer Server)> talkers = [];
        for (int i = 0; i < Talkers; i++)
        {
            talkers.Add(await OpenAsync(rig, backend));
        }

        using var stop = new CancellationTokenSource();
        List<Task> bulk = [];
        for (int i = 0; i < 4; i++)
        {
            bulk.Add(Stream(await OpenAsync(rig, backend), stop.Token));
        }

        await Patience.Until(() => rig.Backend().BytesToBackend > 64 * MiB, "bulk flows");
        long before = rig.Backend().BytesToBackend;
        var counts = new int[Talkers];
        long start = Stopwatch.GetTimestamp();
        Task[] talking = [.. talkers.Select((t, i) => PingPongAsync(t.Client, t.Server, TimeSpan.FromSeconds(2), n => counts[i] = n))];
        await Task.WhenAll(talking).WaitAsync(TimeSpan.FromSeconds(60));
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        long moved = rig.Backend().BytesToBackend - before;
        await stop.CancelAsync();
        foreach (Task stream in bulk)
        {
            await stream.Soon();
        }

        TestContext.Out.WriteLine(
            $"{moved / MiB / seconds:F0} MiB/s of bulk; round trips: {counts.Min()} to {counts.Max()}, {counts.Average():F0} on average");
        using (Assert.EnterMultipleScope())
        {
            Assert.That(moved, Is.GreaterThan(64 * MiB), "there was bulk to compete with");
            Assert.That(counts.Min(), Is.GreaterThanOrEqualTo(counts.Average() / 3), "each has its share");
            Assert.That(counts.Min(), Is.GreaterThan(4), "two in a second at the very least, however slow the machine");
        }
    }

    [Test]
    public async Task A_message_waits_for_five_turns_of_each_bulk_stream_at_most()
    {
        const int streams = 4;

        // And what the last splice brings beyond the budget.
        const long turn = Relay.BytesPerTurn + (256 * 1024);
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend));
        (Peer client, Peer server) = await OpenAsync(rig, backend);
        using var stop = new CancellationTokenSource();
        List<Task> bulk = [];
        for (int i = 0; i < streams; i++)
        {
            bulk.Add(Stream(await OpenAsync(rig, backend), stop.Token));
        }

        for (int i = 0; i < 10; i++)
        {
            // By then the kernel has grown the queues of these streams to some MiB.
            long before = rig.Backend().BytesToBackend;
            await Patience.Until(() => rig.Backend().BytesToBackend > before + (32 * MiB), "bulk flows");
            var reading = new FirstRead(EngineSocket.Find(client.Remote, client.Local).Descriptor, () => rig.Backend().BytesToBackend);
            long held;
            using (await HoldAsync(rig))
            {
                held = rig.Backend().BytesToBackend;
                await Patience.Elapse(TimeSpan.FromMilliseconds(50));
                SystemFault.Installed = reading;
                await client.SendAsync("ping"u8.ToArray());
            }

            await server.ReceiveAsync(4);
            SystemFault.Installed = null;
            TestContext.Out.WriteLine($"{(reading.Seen - held) / 1024} KiB of bulk went first");

            // The rest of the batch that was held, in which each of a stream's two sockets may have an event; the round of those that it
            // cut off; and the batch with the message in it.
            Assert.That(reading.Seen - held, Is.LessThanOrEqualTo((2 + 1 + 2) * streams * turn));
        }

        await stop.CancelAsync();
        await Task.WhenAll(bulk).Soon();
    }

    [Test]
    public async Task A_stream_that_is_cut_off_by_the_budget_of_its_turn_goes_on_though_no_edge_comes()
    {
        // A turn moves 1 MiB, and what the last splice brings beyond it.
        byte[] more = new byte[1400 * 1024];
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend));
        (Peer client, Peer server) = await OpenAsync(rig, backend);
        EngineSocket source = EngineSocket.Find(client.Remote, client.Local);
        Task<Received> receiving = Task.Run(server.ReceiveAllAsync);
        long sent = 0;
        int cutOff = 0;
        for (int i = 0; i < 20 && cutOff < 5; i++)
        {
            // The kernel lets a queue grow with the speed at which it is emptied (tcp(7), tcp_moderate_rcvbuf).
            await client.SendPatternAsync(1, 32 * MiB);
            sent += (32 * MiB) + more.Length;
            await Patience.Until(() => source.Unread == 0, "all is read");
            using (await HoldAsync(rig))
            {
                await client.SendAsync(more);
                await Patience.UntilStill(() => source.Unread, TimeSpan.FromMilliseconds(100));

                // Then no further segment will come, and so no further edge.
                cutOff += client.SendQueueIsEmpty ? 1 : 0;
            }

            await Patience.Until(() => rig.Backend().BytesToBackend == sent, "the rest goes on");
        }

        client.Finish();
        Assert.That((await receiving).Bytes, Is.EqualTo(sent));
        Assume.That(cutOff, Is.Not.Zero, "the kernel's receive queue holds more than one turn moves (net.ipv4.tcp_rmem)");
    }

    private static Task Stream((Peer Client, Peer Server) pair, CancellationToken stop) => Task.WhenAll(
        Task.Run(() => PushAsync(pair.Client, stop), CancellationToken.None),
        Task.Run(() => DrainAsync(pair.Server), CancellationToken.None));

    private static async Task PushAsync(Peer client, CancellationToken stop)
    {
        byte[] block = new byte[256 * 1024];
        while (!stop.IsCancellationRequested)
        {
            await client.SendAsync(block);
        }

        client.Finish();
    }

    private static async Task DrainAsync(Peer server)
    {
        byte[] block = new byte[256 * 1024];
        while (await server.Socket.ReceiveAsync(block.AsMemory()) > 0)
        {
        }

        server.Finish();
    }

    private static async Task PingPongAsync(Peer client, Peer server, TimeSpan time, Action<int> done)
    {
        byte[] there = new byte[128];
        byte[] back = new byte[128];
        int count = 0;
        for (long start = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(start) < time; count++)
        {
            await client.SendAsync(there);
            await server.ReceiveAsync(there);
            await server.SendAsync(back);
            await client.ReceiveAsync(back);
        }

        done(count);
    }

    /// <summary>Takes a number when a descriptor is read for the first time.</summary>
    private sealed class FirstRead(int descriptor, Func<long> number) : SystemFault
    {
        private long _seen = -1;

        public long Seen => Volatile.Read(ref _seen);

        public override Errno Before(SystemCall call, int asked)
        {
            if (call == SystemCall.Recv && asked == descriptor && _seen < 0)
            {
                Volatile.Write(ref _seen, number());
            }

            return Errno.None;
        }
    }
}
