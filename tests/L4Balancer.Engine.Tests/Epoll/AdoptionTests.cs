using L4Balancer.Core.Accounting;
using L4Balancer.Core.Routing;
using L4Balancer.Engine.Epoll;
using L4Balancer.Engine.Linux;
using L4Balancer.Engine.Tests.Contract;
using L4Balancer.Engine.Tests.Peers;

namespace L4Balancer.Engine.Tests.Epoll;

/// <summary>What becomes of connections that come from another engine where the kernel does not let this one serve them.</summary>
internal sealed class AdoptionTests() : EpollFixture(workers: 1)
{
    [TestCase(1)]
    [TestCase(2)]
    public async Task A_connection_that_cannot_be_watched_ends_at_once(int watched)
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend));
        (Peer client, Peer server) = await OpenAsync(rig, backend);
        await using FrozenSlice slice = (await rig.Engine.FreezeAsync(1, CancellationToken.None).Soon())!;
        ExportedConnection copy = Duplicates.Of(slice.Connections.Single());
        await slice.CommitAsync(new HashSet<ulong> { copy.Record.Id }).Soon();
        SystemFault.Installed = new FailingFrom(SystemCall.EpollAdd, Errno.ENOSPC, watched);

        IReadOnlyList<AdoptFailure> failures = await rig.Engine.AdoptAsync([copy]).Soon();

        Assert.That(failures.Select(f => (f.Id, f.Reason)), Is.EqualTo(new[] { (copy.Record.Id, CloseReason.Limit) }));
        Assert.That((await client.ReceiveAllAsync().Soon()).End, Is.EqualTo(StreamEnd.Reset));
        Assert.That((await server.ReceiveAllAsync().Soon()).End, Is.EqualTo(StreamEnd.Reset));
        Assert.That((await rig.Records.NextEndAsync()).Reason, Is.EqualTo(CloseReason.Limit));
    }

    [Test]
    public async Task A_connection_that_cannot_be_watched_again_when_it_thaws_is_reset()
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend));
        (Peer client, Peer server) = await OpenAsync(rig, backend);
        FrozenSlice slice = (await rig.Engine.FreezeAsync(1, CancellationToken.None).Soon())!;
        SystemFault.Installed = new FailingFrom(SystemCall.EpollAdd, Errno.ENOSPC, 2);

        Assert.That((await slice.ThawAsync().Soon()).Single().Reason, Is.EqualTo(CloseReason.Limit));

        Assert.That((await client.ReceiveAllAsync().Soon()).End, Is.EqualTo(StreamEnd.Reset));
        Assert.That((await server.ReceiveAllAsync().Soon()).End, Is.EqualTo(StreamEnd.Reset));
        Assert.That((await rig.Records.NextEndAsync()).Reason, Is.EqualTo(CloseReason.Limit));
    }

    [Test]
    public async Task A_freeze_that_waits_for_a_loop_that_hangs_can_be_cancelled_and_thaws_later()
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend));
        (Peer client, Peer server) = await OpenAsync(rig, backend);
        using (await HoldAsync(rig))
        {
            using var soon = new CancellationTokenSource(TimeSpan.FromMilliseconds(50));
            Assert.That(async () => await rig.Engine.FreezeAsync(1, soon.Token).Soon(), Throws.InstanceOf<OperationCanceledException>());
        }

        await client.SendAsync(new byte[1]);
        await server.ReceiveAsync(1);
        await FinishAsync(client, server);
    }

    [Test]
    public async Task Bytes_in_a_pipe_are_not_taken_out_of_it_before_the_connection_goes_on([Values] bool hasPlace, [Values] bool goesOn)
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend));
        (Peer client, Peer server) = await OpenAsync(rig, backend);
        SystemFault.Installed = new FailingCalls(SystemCall.SpliceOut, Errno.EAGAIN);
        const long length = 64 * MiB;
        Task<string> sending = client.SendPatternAsync(3, length);
        Task<Received> receiving = server.ReceiveAllAsync();
        await Patience.Until(() => WorkersOf(rig)[0].Pipes.InUse == 1, "it came to splicing");
        await Patience.UntilStill(() => client.Sent, TimeSpan.FromMilliseconds(100));

        var records = new RecordedConnections();
        await using var other = new EpollEngine(new EngineOptions
        {
            Clock = TimeProvider.System,
            Records = records,
            Loggers = Microsoft.Extensions.Logging.Abstractions.NullLoggerFactory.Instance,
            Workers = 1,
            PipesPerWorker = hasPlace ? 4 : 0,
        });
        RoutingSnapshot snapshot = RoutingSnapshot.Build(new(rig.Config!, 100));
        Assert.That(other.Start(snapshot), Is.Empty);
        var second = new Rig(other, snapshot, records);
        await using FrozenSlice slice = (await rig.Engine.FreezeAsync(1, CancellationToken.None).Soon())!;
        ExportedPipe pipe = slice.Connections.Single().PipeToBackend!.Value;
        Assert.That(pipe.Held, Is.InRange(1, pipe.Capacity));
        SystemFault.Installed = null;
        ExportedConnection[] copies = HandOver.Copy(slice.Connections, second);
        await using FrozenSlice taken = await HandOver.TakeAsync(second, copies);
        if (goesOn)
        {
            await HandOver.CommitAsync(slice, rig, copies);
            Assert.That(await taken.ThawAsync().Soon(), Is.Empty);
            Assert.That(hasPlace || other.Workers[0].Pipes.InUse == 0, Is.True);
        }
        else
        {
            await HandOver.CommitAsync(taken, second, copies);
            Assert.That(await slice.ThawAsync().Soon(), Is.Empty);
        }

        string sent = await sending;
        client.Finish();
        Assert.That(await receiving, Is.EqualTo(new Received(length, sent, StreamEnd.Fin)));
        server.Finish();
        await second.AtRestAsync();
        await Patience.Until(() => other.Workers[0] is { Buffers.InUse: 0, Pipes.InUse: 0 }, "everything is given back");
    }

    private sealed class FailingFrom(SystemCall call, Errno error, int first) : SystemFault
    {
        private int _count;

        public override Errno Before(SystemCall asked, int descriptor) =>
            asked == call && Interlocked.Increment(ref _count) >= first ? error : Errno.None;
    }
}
