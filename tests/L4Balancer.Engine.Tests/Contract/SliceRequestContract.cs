using System.Net.Sockets;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Pacing;
using L4Balancer.Engine.Tests.Peers;

namespace L4Balancer.Engine.Tests.Contract;

/// <summary>Requests for connections that stand still: the engine that serves them afterwards carries the request out.</summary>
internal abstract class SliceRequestContract(Func<EngineOptions, IEngine> create) : EngineContract(create)
{
    [Test]
    public async Task What_asks_for_an_end_waits_until_it_thaws([Values("close", "shed", "stop", "stop at once")] string how)
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend));
        (Peer client, Peer server) = await OpenAsync(rig, backend);
        if (!await HandsOverAsync(rig))
        {
            return;
        }

        await using FrozenSlice slice = await HandOver.FreezeAsync(rig);
        Task asked = EndAsync(rig, slice.Connections.Single().Record.Id, how);
        await Patience.Elapse(TimeSpan.FromMilliseconds(50));
        Assert.That((client.IsOver, client.Socket.Poll(0, SelectMode.SelectRead)), Is.EqualTo((false, false)));

        await slice.ThawAsync().Soon();

        StreamEnd expected = how == "stop at once" ? StreamEnd.Reset : StreamEnd.Fin;
        Assert.That((await client.ReceiveAllAsync()).End, Is.EqualTo(expected));
        Assert.That((await server.ReceiveAllAsync()).End, Is.EqualTo(expected));
        client.Dispose();
        server.Dispose();
        await asked.Soon();
        Assert.That((await rig.Records.NextEndAsync()).Reason, Is.EqualTo(how.StartsWith("stop", StringComparison.Ordinal) ? CloseReason.Shutdown : CloseReason.Admin));
    }

    [Test]
    public async Task A_close_of_one_that_is_given_up_is_passed_on()
    {
        TestBackend backend = Backend();
        Rig first = Start(Settings.Pool(backend));
        (Peer client, Peer server) = await OpenAsync(first, backend);
        if (await StartSecondAsync(first) is not { } second)
        {
            return;
        }

        await using FrozenSlice slice = await HandOver.FreezeAsync(first);
        ulong id = slice.Connections.Single().Record.Id;
        Assert.That(first.Engine.Close(id, CloseReason.Admin), Is.True);
        ExportedConnection[] copies = HandOver.Copy(slice.Connections, second);
        IReadOnlyList<RequestedClose> closes = await HandOver.CommitAsync(slice, first, copies);
        Assert.That(closes, Is.EqualTo(new[] { new RequestedClose(id, CloseReason.Admin) }));
        Assert.That(first.Engine.Count, Is.Zero);

        await HandOver.AdoptAsync(second, copies);
        await client.SendAsync(new byte[1]);
        await server.ReceiveAsync(1);
        Assert.That(second.Engine.Close(id, CloseReason.Admin), Is.True);
        Assert.That((await server.ReceiveAllAsync()).End, Is.EqualTo(StreamEnd.Fin));
    }

    [Test]
    public async Task What_is_asked_of_one_that_is_taken_waits_until_it_is_served()
    {
        TestBackend backend = Backend();
        Rig first = Start(Settings.Pool(backend));
        (Peer client, Peer server) = await OpenAsync(first, backend);
        if (await StartSecondAsync(first) is not { } second)
        {
            return;
        }

        await using FrozenSlice slice = await HandOver.FreezeAsync(first);
        ExportedConnection[] copies = HandOver.Copy(slice.Connections, second);
        await using FrozenSlice taken = await HandOver.TakeAsync(second, copies);
        Assert.That(second.List().Select(r => r.Id), Is.EqualTo(copies.Select(c => c.Record.Id)));
        Assert.That(second.Engine.Close(copies[0].Record.Id, CloseReason.Admin), Is.True);
        await HandOver.CommitAsync(slice, first, copies);
        Assert.That((client.IsOver, client.Socket.Poll(0, SelectMode.SelectRead)), Is.EqualTo((false, false)));

        await taken.ThawAsync().Soon();
        Assert.That((await client.ReceiveAllAsync()).End, Is.EqualTo(StreamEnd.Fin));
        Assert.That((await server.ReceiveAllAsync()).End, Is.EqualTo(StreamEnd.Fin));
        client.Finish();
        server.Finish();
        Assert.That((await second.Records.NextEndAsync()).Reason, Is.EqualTo(CloseReason.Admin));
    }

    private static async Task EndAsync(Rig rig, ulong id, string how)
    {
        switch (how)
        {
            case "close":
                Assert.That(rig.Engine.Close(id, CloseReason.Admin), Is.True);
                Assert.That(rig.Engine.Close(id, CloseReason.Admin), Is.True, "it is still open");
                break;
            case "shed":
                var order = new ShedOrder { Reason = CloseReason.Admin, CloseRate = CloseRate.AtRate(0) };
                Assert.That(await rig.Engine.ShedAsync(order, CancellationToken.None).Soon(), Is.EqualTo(1));
                break;
            default:
                await rig.Engine.StopAsync(TimeSpan.Zero, new CancellationToken(canceled: how == "stop at once"));
                break;
        }
    }
}
