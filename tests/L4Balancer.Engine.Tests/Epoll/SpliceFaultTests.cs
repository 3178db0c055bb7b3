using L4Balancer.Core.Accounting;
using L4Balancer.Engine.Linux;
using L4Balancer.Engine.Tests.Contract;
using L4Balancer.Engine.Tests.Peers;

namespace L4Balancer.Engine.Tests.Epoll;

/// <summary>Whatever splice(2) and its pipes do, every byte arrives once, and nobody else's.</summary>
internal sealed class SpliceFaultTests() : EpollFixture(workers: 1)
{
    [Test]
    public async Task A_socket_that_cannot_be_spliced_is_copied()
    {
        var fault = new FailingCalls(SystemCall.SpliceIn, Errno.EINVAL);
        SystemFault.Installed = fault;
        await BothWaysAsync();

        Assert.That(fault.Count, Is.EqualTo(2), "each direction has asked once");
    }

    [Test]
    public async Task Without_pipes_bulk_is_copied()
    {
        var splices = new CountedCalls(SystemCall.SpliceIn);
        SystemFault.Installed = new Both(new FailingCalls(SystemCall.Pipe, Errno.EMFILE), splices);
        await BothWaysAsync();

        Assert.That(splices.Count, Is.Zero);
    }

    [Test]
    public async Task Where_pipes_come_and_go_bulk_is_copied_or_spliced()
    {
        SystemFault.Installed = new FailingCalls(SystemCall.Pipe, Errno.ENFILE, times: 1);
        await BothWaysAsync();
    }

    [Test]
    public async Task A_slow_reader_is_waited_for_with_and_without_pipes([Values] bool pipes)
    {
        const long all = 48 * MiB;
        SystemFault.Installed = pipes ? null : new FailingCalls(SystemCall.Pipe, Errno.EMFILE);
        TestBackend backend = Backend(receiveBuffer: 64 * 1024);
        Rig rig = Start(Settings.Pool(backend));
        (Peer client, Peer server) = await OpenAsync(rig, backend);
        Task<string> sending = client.SendPatternAsync(51, all);
        byte[] part = new byte[MiB];
        for (int i = 0; i < 10; i++)
        {
            // In bursts, so that the pipe or buffer is filled, emptied in pieces, and filled anew.
            await server.ReceiveAsync(part);
            await Patience.UntilStill(() => client.Sent, TimeSpan.FromMilliseconds(20));
            (int inPipes, int inBuffers) = await AskAsync(rig, w => (w.Pipes.InUse, w.Buffers.InUse));
            Assert.That(inPipes + inBuffers, Is.LessThanOrEqualTo(1), "one at most for a direction");
        }

        Task<Received> receiving = server.ReceiveAllAsync();
        await sending;
        client.Finish();
        Assert.That((await receiving).Bytes, Is.EqualTo(all - (10 * MiB)));
        await NothingIsHeldAsync(rig);
        server.Finish();
    }

    [Test]
    public async Task A_sink_that_is_gone_ends_the_connection_and_leaves_its_bytes_to_nobody([Values] bool byClient)
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend));
        (Peer client, Peer server) = await OpenAsync(rig, backend);
        (Peer from, Peer to) = byClient ? (client, server) : (server, client);
        Task<Received> receiving = Task.Run(to.ReceiveAllAsync);
        await from.SendPatternAsync(61, 8 * MiB);
        to.Finish();
        SystemFault.Installed = new FailingCalls(SystemCall.SpliceOut, Errno.EPIPE, times: 1);
        Task sending = from.SendPatternAsync(62, 4096 * MiB);

        CloseReason reason = (await rig.Records.NextEndAsync()).Reason;
        Assert.That(reason, Is.EqualTo(byClient ? CloseReason.BackendReset : CloseReason.ClientReset));
        Assert.That(async () => await sending, Throws.InstanceOf<System.Net.Sockets.SocketException>());
        await receiving;
        await NothingIsHeldAsync(rig);
        await NextUserSeesOnlyItsOwnAsync(rig, backend);
    }

    [Test]
    public async Task A_reset_while_the_pipe_is_full_leaves_its_bytes_to_nobody([Values] bool bySender)
    {
        TestBackend backend = Backend(receiveBuffer: 64 * 1024);
        Rig rig = Start(Settings.Pool(backend));
        for (int i = 0; i < 5; i++)
        {
            (Peer client, Peer server) = await OpenAsync(rig, backend);
            _ = client.SendPatternAsync(71 + i, 256 * MiB).ContinueWith(t => _ = t.Exception, TaskScheduler.Default);
            await server.ReceiveAsync(new byte[8 * MiB]);
            await Patience.Until(() => WorkersOf(rig)[0].Pipes.InUse + WorkersOf(rig)[0].Buffers.InUse == 1, "a rest is held");
            (bySender ? client : server).Reset();

            // Where the sender is gone, what it had sent is delivered first: to a reader, else until the patience ends.
            if (bySender)
            {
                Assert.That((await server.ReceiveAllAsync()).End, Is.EqualTo(StreamEnd.Reset));
            }

            Assert.That(
                (await rig.Records.NextEndAsync()).Reason, Is.EqualTo(bySender ? CloseReason.ClientReset : CloseReason.BackendReset));
            await NothingIsHeldAsync(rig);
            await NextUserSeesOnlyItsOwnAsync(rig, backend);
        }
    }

    private async Task BothWaysAsync()
    {
        const long all = 32 * MiB;
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend));
        (Peer client, Peer server) = await OpenAsync(rig, backend);
        Task<Received> atServer = Task.Run(server.ReceiveAllAsync);
        Task<Received> atClient = Task.Run(client.ReceiveAllAsync);
        Task<string> fromClient = Task.Run(() => client.SendPatternAsync(81, all));
        Task<string> fromServer = Task.Run(() => server.SendPatternAsync(82, all));
        string clients = await fromClient;
        string servers = await fromServer;
        client.Finish();
        server.Finish();

        Assert.That(await atServer, Is.EqualTo(new Received(all, clients, StreamEnd.Fin)));
        Assert.That(await atClient, Is.EqualTo(new Received(all, servers, StreamEnd.Fin)));
        await NothingIsHeldAsync(rig);
    }

    /// <summary>A stream that is spliced through the same thread's pipes.</summary>
    private async Task NextUserSeesOnlyItsOwnAsync(Rig rig, TestBackend backend)
    {
        var splices = new CountedCalls(SystemCall.SpliceIn);
        SystemFault.Installed = splices;
        (Peer client, Peer server) = await OpenAsync(rig, backend);
        Task<Received> receiving = Task.Run(server.ReceiveAllAsync);
        (string digest, long all) = await SendUntilSplicedAsync(client, splices, 91, 8 * MiB);
        client.Finish();
        Assert.That(await receiving, Is.EqualTo(new Received(all, digest, StreamEnd.Fin)));
        server.Finish();
        await rig.Records.NextEndAsync();
        SystemFault.Installed = null;
    }

    private sealed class Both(SystemFault first, SystemFault second) : SystemFault
    {
        public override Errno Before(SystemCall call, int descriptor)
        {
            Errno error = first.Before(call, descriptor);
            return error != Errno.None ? error : second.Before(call, descriptor);
        }
    }
}
