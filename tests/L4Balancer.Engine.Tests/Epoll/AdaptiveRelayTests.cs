using L4Balancer.Engine.Linux;
using L4Balancer.Engine.Tests.Contract;
using L4Balancer.Engine.Tests.Peers;

namespace L4Balancer.Engine.Tests.Epoll;

/// <summary>Small transfers are copied, bulk is spliced, each direction for itself; a quiet connection holds nothing.</summary>
internal sealed class AdaptiveRelayTests() : EpollFixture(workers: 1)
{
    private readonly CountedCalls _splices = new(SystemCall.SpliceIn);

    [SetUp]
    public void Watch() => SystemFault.Installed = _splices;

    [Test]
    public async Task Small_messages_are_never_spliced()
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend));
        (Peer client, Peer server) = await OpenAsync(rig, backend);
        await TalkAsync(client, server, 500);

        Assert.That(_splices.Count, Is.Zero);
        Assert.That(rig.Engine.LoopStatistics().Single().Spliced, Is.Zero);
        await NothingIsHeldAsync(rig);
        await FinishAsync(client, server);
    }

    [Test]
    public async Task Bulk_is_spliced_and_when_it_calms_copied_again_with_nothing_held([Values] bool byClient)
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend));
        (Peer client, Peer server) = await OpenAsync(rig, backend);
        (Peer from, Peer to) = byClient ? (client, server) : (server, client);
        for (int round = 0; round < 3; round++)
        {
            int before = _splices.Count;
            long counted = rig.Engine.LoopStatistics().Single().Spliced;
            long bytes = await StreamAsync(from, to, round);
            int bulk = _splices.Count - before;
            await NothingIsHeldAsync(rig);
            Assert.That(rig.Engine.LoopStatistics().Single().Spliced - counted, Is.InRange(1, bytes), "counted for the metrics");

            await TalkAsync(from, to, 20);
            int calm = _splices.Count;
            await TalkAsync(from, to, 200);
            TestContext.Out.WriteLine($"{bytes / MiB} MiB by {bulk} splices, and {calm - before - bulk} until it was calm");
            Assert.That(_splices.Count, Is.EqualTo(calm), "calm means copied");
            await NothingIsHeldAsync(rig);
        }

        await FinishAsync(client, server);
    }

    [Test]
    public async Task A_slow_reader_of_bulk_holds_one_pipe_and_gives_it_back()
    {
        const long all = 64 * MiB;
        TestBackend backend = Backend(receiveBuffer: 64 * 1024);
        Rig rig = Start(Settings.Pool(backend));
        (Peer client, Peer server) = await OpenAsync(rig, backend);
        Task<string> sending = client.SendPatternAsync(41, all);
        await server.ReceiveAsync(new byte[8 * MiB]);
        await Patience.UntilStill(() => client.Sent, TimeSpan.FromMilliseconds(200));
        (int pipes, int buffers) = await AskAsync(rig, w => (w.Pipes.InUse, w.Buffers.InUse));
        Assert.That(pipes + buffers, Is.EqualTo(1), "the rest that the reader did not take lies in one place");
        Assert.That(sending.IsCompleted, Is.False);

        Task<Received> receiving = server.ReceiveAllAsync();
        await sending;
        client.Finish();
        Assert.That((await receiving).Bytes, Is.EqualTo(all - (8 * MiB)));
        await NothingIsHeldAsync(rig);
    }

    [Test]
    public async Task A_reader_that_takes_one_send_at_a_time_costs_one_buffer_at_a_time()
    {
        const int all = 2 * (int)MiB;
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend));
        (Peer client, Peer server) = await OpenAsync(rig, backend);
        SystemFault.Installed = new EverySecondCall(
            SystemCall.Send, Errno.EAGAIN, EngineSocket.Find(server.Remote, server.Local).Descriptor);
        Task sending = client.SendAsync(new byte[all]);
        Task receiving = server.ReceiveAsync(new byte[all]);
        while (!receiving.IsCompleted)
        {
            // Whatever comes from a socket, the same edge says that it can be written again.
            await server.SendAsync("."u8.ToArray());
            await client.ReceiveAsync(1);
            Assert.That(await AskAsync(rig, w => w.Buffers.InUse), Is.LessThanOrEqualTo(1));
        }

        await sending;
        await NothingIsHeldAsync(rig);
    }

    private async Task<long> StreamAsync(Peer from, Peer to, int seed)
    {
        long received = 0;
        using var all = new CancellationTokenSource();
        Task receiving = Task.Run(
            async () =>
            {
                byte[] block = new byte[256 * 1024];
                while (true)
                {
                    Interlocked.Add(ref received, await to.Socket.ReceiveAsync(block, all.Token));
                }
            },
            CancellationToken.None);
        (_, long sent) = await SendUntilSplicedAsync(from, _splices, seed, 32 * MiB);
        await Patience.Until(() => Volatile.Read(ref received) == sent, "all has arrived");
        await all.CancelAsync();
        Assert.That(async () => await receiving, Throws.InstanceOf<OperationCanceledException>());
        return sent;
    }

    private static async Task TalkAsync(Peer from, Peer to, int messages)
    {
        byte[] message = new byte[128];
        for (int i = 0; i < messages; i++)
        {
            await from.SendAsync(message);
            await to.ReceiveAsync(message);
            await to.SendAsync(message);
            await from.ReceiveAsync(message);
        }
    }
}
