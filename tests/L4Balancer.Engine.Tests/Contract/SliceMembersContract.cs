using L4Balancer.Core.Accounting;
using L4Balancer.Core.Connections;
using L4Balancer.Engine.Tests.Peers;

namespace L4Balancer.Engine.Tests.Contract;

/// <summary>Which connections are in a slice, and which part of it is given up.</summary>
internal abstract class SliceMembersContract(Func<EngineOptions, IEngine> create) : EngineContract(create)
{
    [Test]
    public async Task Slices_are_as_large_as_asked_and_go_round()
    {
        const int count = 300;
        TestBackend backend = Backend();
        backend.ServeEcho();
        Rig rig = Start(Settings.Pool(backend));
        for (int i = 0; i < count; i++)
        {
            await ConnectAsync(rig);
        }

        await Patience.Until(() => rig.Records.EstablishedCount == count, "all are established");
        if (!await HandsOverAsync(rig))
        {
            return;
        }

        List<FrozenSlice> slices = [];
        for (int i = 0; i < 5; i++)
        {
            slices.Add((await rig.Engine.FreezeAsync(HandOver.Slice, CancellationToken.None).Soon())!);
        }

        Assert.That(slices.Select(s => s.Connections.Count), Is.EqualTo(new[] { 126, 126, 48, 0, 0 }));
        Assert.That(slices.SelectMany(s => s.Connections).Select(c => c.Record.Id).Distinct().Count(), Is.EqualTo(count));
        foreach (FrozenSlice slice in slices)
        {
            await slice.ThawAsync().Soon();
        }

        await using FrozenSlice again = (await rig.Engine.FreezeAsync(count, CancellationToken.None).Soon())!;
        Assert.That(again.Connections, Has.Count.EqualTo(count));
        Assert.That(async () => await rig.Engine.FreezeAsync(0, CancellationToken.None), Throws.InstanceOf<ArgumentOutOfRangeException>());
    }

    [Test]
    public async Task One_of_two_is_given_up_without_a_trace_and_the_other_goes_on()
    {
        TestBackend backend = Backend();
        Rig first = Start(Settings.Pool(backend));
        (Peer client, Peer server) = await OpenAsync(first, backend);
        (Peer other, Peer otherServer) = await OpenAsync(first, backend);
        if (await StartSecondAsync(first) is not { } second)
        {
            return;
        }

        await using FrozenSlice slice = await HandOver.FreezeAsync(first);
        ExportedConnection copy = HandOver.Copy(slice.Connections.Where(c => c.Record.Tuple.Source == client.Local), second).Single();
        int open = EngineSocket.CountDescriptors();
        await HandOver.CommitAsync(slice, first, copy);
        await slice.ThawAsync().Soon();
        Assert.That(await slice.CommitAsync(new HashSet<ulong> { copy.Record.Id + 1 }).Soon(), Is.Empty, "it has ended");
        using (Assert.EnterMultipleScope())
        {
            Assert.That(EngineSocket.CountDescriptors(), Is.LessThanOrEqualTo(open - 2));
            Assert.That((first.Engine.Count, first.Snapshot.State.Open, first.Backend().Active, first.Listener.Open), Is.EqualTo((1, 1, 1, 1)));
            Assert.That((first.Records.EndedCount, first.Closed, first.Snapshot.Ports.Uses.Sum(u => u.Held)), Is.EqualTo((0, 0, 1)));
            Assert.That((client.IsOver, server.IsOver), Is.EqualTo((false, false)));
        }

        await other.SendAsync(new byte[1]);
        await otherServer.ReceiveAsync(1);
        await HandOver.AdoptAsync(second, copy);
        await client.SendAsync(new byte[1]);
        await server.ReceiveAsync(1);
        await FinishAsync(other, otherServer);
        await FinishAsync(client, server);
    }

    [Test]
    public async Task What_is_being_set_up_or_closed_stays_and_the_former_is_counted_until_it_is_established()
    {
        TestBackend silent = Keep(await TestBackend.SilentAsync());
        Rig rig = Start(Settings.Pool(silent) with { ConnectTimeout = TimeSpan.FromSeconds(30) });
        Peer client = await ConnectAsync(rig);
        await Patience.Until(
            () => (rig.Listener.Pending, rig.Engine.Count, rig.Engine.Connecting) == (1, 1, 1), "it is pending, in all counts");
        if (!await HandsOverAsync(rig))
        {
            return;
        }

        await using (FrozenSlice none = await HandOver.FreezeAsync(rig))
        {
            Assert.That(none.Connections, Is.Empty);
        }

        await silent.Unblock();
        Peer server = Keep(await silent.AcceptAsync());
        await Patience.Until(() => rig.Engine.Connecting == 0, "it is established");
        await using (FrozenSlice one = await HandOver.FreezeAsync(rig))
        {
            Assert.That(one.Connections, Has.Count.EqualTo(1));
        }

        Assert.That(rig.Engine.Close(rig.List().Single().Id, CloseReason.Admin), Is.True);
        await using (FrozenSlice none = await HandOver.FreezeAsync(rig))
        {
            Assert.That((none.Connections.Count, rig.Engine.Count), Is.EqualTo((0, 1)), "it lingers");
        }

        client.Finish();
        server.Finish();
    }
}
