using L4Balancer.Core.Accounting;
using L4Balancer.Core.Connections;
using L4Balancer.Engine.Tests.Peers;

namespace L4Balancer.Engine.Tests.Contract;

/// <summary>Connections that stand still for a hand-over: what happens to them meanwhile is there when they go on, here or elsewhere.</summary>
internal abstract class SliceContract(Func<EngineOptions, IEngine> create) : EngineContract(create)
{
    private static readonly TimeSpan Short = TimeSpan.FromMilliseconds(400);

    /// <summary>Where the process that was to take the connections may have ended.</summary>
    internal enum Step
    {
        Frozen,
        Sent,
        Taken,
        PartTaken,
        Cancelled,
    }

    /// <summary>What a peer does while its connection stands still.</summary>
    internal enum Event
    {
        Bytes,
        BytesAndFin,
        Reset,
    }

    [Test]
    public async Task A_hand_over_that_ends_at_any_step_loses_no_byte([Values] Step step)
    {
        TestBackend backend = Backend();
        Rig first = Start(Settings.Pool(backend));
        if (await StartSecondAsync(first) is not { } second)
        {
            return;
        }

        await using var traffic = new Traffic();
        (Peer client, Peer server) = await OpenAsync(first, backend);
        traffic.Stream(client, server);
        traffic.Stream(server, client);
        (Peer asking, Peer answering) = await OpenAsync(first, backend);
        traffic.PingPong(asking, answering);
        (Peer finished, Peer half) = await OpenAsync(first, backend);
        finished.Finish();
        Assert.That((await half.ReceiveAllAsync()).End, Is.EqualTo(StreamEnd.Fin));
        for (int round = 0; round < 10; round++)
        {
            await traffic.MoreAsync(1024 * 1024);
            await FailAsync(first, second, step);
        }

        await half.SendAsync(new byte[100]);
        Assert.That(await finished.ReceiveAsync(100), Is.All.Zero);
        await traffic.EndAsync();
    }

    [Test]
    public async Task It_is_listed_counted_and_reported_and_no_byte_moves()
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend));
        (Peer client, Peer server) = await OpenAsync(rig, backend);
        if (!await HandsOverAsync(rig))
        {
            return;
        }

        await using (FrozenSlice slice = await HandOver.FreezeAsync(rig))
        {
            ulong id = slice.Connections.Single().Record.Id;
            await client.SendAsync(new byte[100]);
            await Patience.Until(() => client.SendQueueIsEmpty, "they are in the queue of the engine's socket");
            await rig.Engine.ReportLivingAsync(TimeSpan.Zero, CancellationToken.None).Soon();
            await rig.Engine.PingLoopsAsync().Soon();
            using (Assert.EnterMultipleScope())
            {
                Assert.That(rig.List().Select(r => (r.Id, r.BytesToBackend)), Is.EqualTo(new[] { (id, 0L) }));
                Assert.That(rig.Records.Living.Select(r => r.Id), Is.EqualTo(new[] { id }));
                Assert.That((rig.Engine.Count, rig.Engine.Connecting, rig.Snapshot.State.Open, rig.Backend().Active), Is.EqualTo((1, 0, 1, 1)));
                Assert.That(server.Socket.Available, Is.Zero);
            }
        }

        await server.ReceiveAsync(100);
        await FinishAsync(client, server);
    }

    [Test]
    public async Task What_comes_meanwhile_is_seen_by_whoever_goes_on([Values] Event what, [Values] bool byClient, [Values] bool adopted)
    {
        TestBackend backend = Backend();
        Rig first = Start(Settings.Pool(backend));
        (Peer client, Peer server) = await OpenAsync(first, backend);
        if (await StartSecondAsync(first) is not { } second)
        {
            return;
        }

        (Peer from, Peer to) = byClient ? (client, server) : (server, client);
        await using FrozenSlice slice = await HandOver.FreezeAsync(first);
        if (what != Event.Reset)
        {
            await from.SendAsync(new byte[1000]);
        }

        if (what == Event.BytesAndFin)
        {
            from.Finish();
        }
        else if (what == Event.Reset)
        {
            from.Reset();
        }

        if (adopted)
        {
            ExportedConnection[] copies = HandOver.Copy(slice.Connections, second);
            await HandOver.CommitAsync(slice, first, copies);
            await HandOver.AdoptAsync(second, copies);
        }
        else
        {
            await slice.ThawAsync().Soon();
        }

        if (what == Event.Reset)
        {
            Assert.That((await to.ReceiveAllAsync()).End, Is.EqualTo(StreamEnd.Reset));
            ConnectionRecord end = await (adopted ? second : first).Records.NextEndAsync();
            Assert.That(end.Reason, Is.EqualTo(byClient ? CloseReason.ClientReset : CloseReason.BackendReset));
            return;
        }

        await to.ReceiveAsync(1000);
        await FinishAsync(from, to);
    }

    [Test]
    public async Task Who_finished_first_is_known_to_the_engine_that_adopts([Values] bool byClient)
    {
        TestBackend backend = Backend();
        Rig first = Start(Settings.Pool(backend));
        (Peer client, Peer server) = await OpenAsync(first, backend);
        if (await StartSecondAsync(first) is not { } second)
        {
            return;
        }

        (Peer one, Peer other) = byClient ? (client, server) : (server, client);
        one.Finish();
        Assert.That((await other.ReceiveAllAsync()).End, Is.EqualTo(StreamEnd.Fin));
        await using FrozenSlice slice = await HandOver.FreezeAsync(first);
        other.Finish();
        ExportedConnection[] copies = HandOver.Copy(slice.Connections, second);
        await HandOver.CommitAsync(slice, first, copies);
        await HandOver.AdoptAsync(second, copies);

        Assert.That((await one.ReceiveAllAsync()).End, Is.EqualTo(StreamEnd.Fin));
        Assert.That((await second.Records.NextEndAsync()).Reason, Is.EqualTo(byClient ? CloseReason.ClientClosed : CloseReason.BackendClosed));
    }

    [Test]
    public async Task An_engine_that_is_stopping_takes_nothing_and_leaves_it_whole()
    {
        TestBackend backend = Backend();
        Rig first = Start(Settings.Pool(backend));
        (Peer client, Peer server) = await OpenAsync(first, backend);
        if (await StartSecondAsync(first) is not { } second)
        {
            return;
        }

        await second.Engine.StopAsync(TimeSpan.Zero, CancellationToken.None).Soon();
        await using (FrozenSlice slice = await HandOver.FreezeAsync(first))
        {
            int open = EngineSocket.CountDescriptors();
            ExportedConnection[] copies = [.. slice.Connections.Select(Duplicates.Of)];
            await using FrozenSlice taken = await second.Engine.TakeFrozenAsync(copies).Soon();
            Assert.That((taken.Connections.Count, taken.Failures.Single().Id), Is.EqualTo((0, copies[0].Record.Id)));
            Assert.That(EngineSocket.CountDescriptors(), Is.LessThanOrEqualTo(open + 1));
        }

        await FinishAsync(client, server);
    }

    [Test]
    public async Task A_deadline_counts_the_time_that_it_stood_still_and_what_came_meanwhile([Values] bool bytesCame, [Values] bool adopted)
    {
        TestBackend backend = Backend();
        Rig first = Start(Settings.Pool(backend) with { IdleTimeout = Short });
        (Peer client, Peer server) = await OpenAsync(first, backend);
        if (await StartSecondAsync(first) is not { } second)
        {
            return;
        }

        FrozenSlice slice = await HandOver.FreezeAsync(first);
        while (slice.Connections.Count == 0)
        {
            // So slow a machine that it has become idle already.
            slice = await HandOver.FreezeAsync(first);
        }

        await Patience.Elapse(2 * Short);
        Assert.That(first.Engine.Count, Is.EqualTo(1), "no timer fires meanwhile");
        if (bytesCame)
        {
            await client.SendAsync(new byte[10]);
            await Patience.Until(() => client.SendQueueIsEmpty, "they are there");
        }

        if (adopted)
        {
            ExportedConnection[] copies = HandOver.Copy(slice.Connections, second);
            await HandOver.CommitAsync(slice, first, copies);
            await HandOver.AdoptAsync(second, copies);
        }

        await slice.DisposeAsync();
        Received atServer = await server.ReceiveAllAsync();
        Assert.That((atServer.Bytes, atServer.End), Is.EqualTo((bytesCame ? 10L : 0L, StreamEnd.Fin)));
        Assert.That((await client.ReceiveAllAsync()).End, Is.EqualTo(StreamEnd.Fin));
        client.Finish();
        server.Finish();
        Assert.That((await (adopted ? second : first).Records.NextEndAsync()).Reason, Is.EqualTo(CloseReason.IdleTimeout));
    }


    private static async Task FailAsync(Rig first, Rig second, Step step)
    {
        if (step == Step.Cancelled)
        {
            Assert.That(
                async () => await first.Engine.FreezeAsync(HandOver.Slice, new CancellationToken(canceled: true)).Soon(),
                Throws.InstanceOf<OperationCanceledException>());
            return;
        }

        FrozenSlice slice = await HandOver.FreezeAsync(first);
        if (step != Step.Frozen)
        {
            ExportedConnection[] copies = [.. slice.Connections.Select(Duplicates.Of)];
            Array.ForEach(copies, Duplicates.Close);
        }

        if (step == Step.Taken)
        {
            // The other process has them in place, and sees that this one goes on with them.
            ExportedConnection[] copies = HandOver.Copy(slice.Connections, second);
            await using FrozenSlice taken = await HandOver.TakeAsync(second, copies);
            Assert.That((first.Engine.Count, second.Engine.Count), Is.EqualTo((3, 3)), "both count them for the moment");
            await slice.ThawAsync().Soon();
            await HandOver.CommitAsync(taken, second, copies);
            Assert.That(second.Engine.Count, Is.Zero);
        }

        if (step == Step.PartTaken)
        {
            // One connection goes there and comes back.
            foreach ((Rig from, Rig to) in new[] { (first, second), (second, first) })
            {
                FrozenSlice part = from == first ? slice : await HandOver.FreezeAsync(from);
                ExportedConnection[] taken = HandOver.Copy(part.Connections.Take(1), to);
                await HandOver.CommitAsync(part, from, taken);
                Assert.That(await HandOver.AdoptAsync(to, taken), Is.Empty);
            }
        }

        await slice.ThawAsync().Soon();
    }
}
