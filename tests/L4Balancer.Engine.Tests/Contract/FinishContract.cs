using L4Balancer.Core.Accounting;
using L4Balancer.Core.Connections;
using L4Balancer.Engine.Tests.Peers;

namespace L4Balancer.Engine.Tests.Contract;

/// <summary>"End of one side": what was read is written, then FIN to the other side; that direction is done, the other lives on.</summary>
internal abstract class FinishContract(Func<EngineOptions, IEngine> create) : EngineContract(create)
{
    private const long Much = 100 * 1024 * 1024;

    [Test]
    public async Task The_backend_may_send_100_MB_after_the_client_has_finished()
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend));
        (Peer client, Peer server) = await OpenAsync(rig, backend);

        await HalfCloseAsync(client, server);

        ConnectionRecord end = await rig.Records.NextEndAsync();
        using (Assert.EnterMultipleScope())
        {
            Assert.That(end.Reason, Is.EqualTo(CloseReason.ClientClosed));
            Assert.That((end.BytesToBackend, end.BytesToClient), Is.EqualTo((7L, Much)));
        }
    }

    [Test]
    public async Task The_client_may_send_100_MB_after_the_backend_has_finished()
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend));
        (Peer client, Peer server) = await OpenAsync(rig, backend);

        await HalfCloseAsync(server, client);

        ConnectionRecord end = await rig.Records.NextEndAsync();
        using (Assert.EnterMultipleScope())
        {
            Assert.That(end.Reason, Is.EqualTo(CloseReason.BackendClosed));
            Assert.That((end.BytesToBackend, end.BytesToClient), Is.EqualTo((Much, 7L)));
        }
    }

    [Test]
    public async Task While_one_side_has_finished_the_connection_counts_as_half_closed([Values] bool byClient)
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend));
        (Peer client, Peer server) = await OpenAsync(rig, backend);
        Assert.That((rig.Pool.State.HalfClosed, rig.List().Single().IsHalfClosed), Is.EqualTo((0, false)));
        (Peer first, Peer second) = byClient ? (client, server) : (server, client);
        first.Finish();
        await Patience.Until(() => rig.Pool.State.HalfClosed == 1, "it is counted");
        Assert.That(rig.List().Single().IsHalfClosed, Is.True);

        second.Finish();
        await rig.Records.NextEndAsync();
        Assert.That(rig.Pool.State.HalfClosed, Is.Zero);
    }

    [Test]
    public async Task A_client_that_leaves_at_once_ends_an_empty_connection()
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend));
        using (await Peer.ConnectAsync(rig.Address))
        {
        }

        Peer server = Keep(await backend.AcceptAsync());
        Received received = await server.ReceiveAllAsync();
        server.Dispose();

        ConnectionRecord end = await rig.Records.NextEndAsync();
        using (Assert.EnterMultipleScope())
        {
            Assert.That((received.Bytes, received.End), Is.EqualTo((0L, StreamEnd.Fin)));
            Assert.That((end.Reason, end.BytesToBackend, end.BytesToClient), Is.EqualTo((CloseReason.ClientClosed, 0L, 0L)));
        }
    }

    [Test]
    public async Task A_backend_that_leaves_at_once_ends_an_empty_connection()
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend));
        (Peer client, Peer server) = await OpenAsync(rig, backend);
        server.Dispose();

        Received received = await client.ReceiveAllAsync();
        client.Dispose();

        ConnectionRecord end = await rig.Records.NextEndAsync();
        using (Assert.EnterMultipleScope())
        {
            Assert.That((received.Bytes, received.End), Is.EqualTo((0L, StreamEnd.Fin)));
            Assert.That(end.Reason, Is.EqualTo(CloseReason.BackendClosed));
        }
    }

    [Test]
    public async Task A_client_that_sends_and_leaves_at_once_is_heard_to_the_end()
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend));
        Peer client = await ConnectAsync(rig);
        string digest = await client.SendPatternAsync(11, 1024 * 1024);
        client.Dispose();

        Peer server = Keep(await backend.AcceptAsync());

        Assert.That(await server.ReceiveAllAsync(), Is.EqualTo(new Received(1024 * 1024, digest, StreamEnd.Fin)));
    }

    [Test]
    public async Task Both_may_finish_at_the_same_moment()
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend));
        for (int i = 0; i < 100; i++)
        {
            (Peer client, Peer server) = await OpenAsync(rig, backend);
            using var together = new Barrier(2);
            await Task.WhenAll(Task.Run(() => FinishWith(client, together)), Task.Run(() => FinishWith(server, together))).Soon();

            Assert.That((await client.ReceiveAllAsync()).End, Is.EqualTo(StreamEnd.Fin));
            Assert.That((await server.ReceiveAllAsync()).End, Is.EqualTo(StreamEnd.Fin));
            ConnectionRecord end = await rig.Records.NextEndAsync();
            Assert.That(end.Reason, Is.AnyOf(CloseReason.ClientClosed, CloseReason.BackendClosed));
        }
    }

    private static void FinishWith(Peer peer, Barrier together)
    {
        together.SignalAndWait(Patience.Limit);
        peer.Finish();
    }

    private static async Task HalfCloseAsync(Peer first, Peer second)
    {
        await first.SendAsync("request"u8.ToArray());
        first.Finish();
        Received request = await second.ReceiveAllAsync();
        Task<Received> receiving = first.ReceiveAllAsync();
        string digest = await second.SendPatternAsync(5, Much);
        second.Finish();

        using (Assert.EnterMultipleScope())
        {
            Assert.That((request.Bytes, request.End), Is.EqualTo((7L, StreamEnd.Fin)));
            Assert.That(await receiving, Is.EqualTo(new Received(Much, digest, StreamEnd.Fin)));
        }
    }
}
