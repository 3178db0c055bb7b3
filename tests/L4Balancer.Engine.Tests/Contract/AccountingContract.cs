using L4Balancer.Core.Accounting;
using L4Balancer.Core.Connections;
using L4Balancer.Engine.Tests.Peers;

namespace L4Balancer.Engine.Tests.Contract;

/// <summary>At rest the counters equal what happened, and listings say what is.</summary>
internal abstract class AccountingContract(Func<EngineOptions, IEngine> create) : EngineContract(create)
{
    [Test]
    public async Task Every_accepted_connection_is_exactly_one_of_pending_refused_active_or_closed()
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend), Settings.Listener("127.0.0.1:0") with { MaxConnections = 12 });
        var random = new Random(42);
        long toBackend = 0;
        long toClient = 0;
        int clientsFirst = 0;
        for (int i = 0; i < 60; i++)
        {
            (Peer client, Peer server) = await OpenAsync(rig, backend);
            int up = random.Next(100_000);
            int down = random.Next(100_000);
            await client.SendPatternAsync(i, up);
            await server.ReceiveAsync(up);
            await server.SendPatternAsync(i, down);
            await client.ReceiveAsync(down);
            toBackend += up;
            toClient += down;
            bool clientFirst = random.Next(2) == 0;
            clientsFirst += clientFirst ? 1 : 0;
            await (clientFirst ? FinishAsync(client, server) : FinishAsync(server, client));
            await rig.Records.NextEndAsync();
        }

        for (int i = 0; i < 6; i++)
        {
            (Peer client, Peer server) = await OpenAsync(rig, backend);
            (i % 2 == 0 ? client : server).Reset();
            await rig.Records.NextEndAsync();
        }

        for (int i = 0; i < 12; i++)
        {
            await OpenAsync(rig, backend);
        }

        for (int i = 0; i < 5; i++)
        {
            await ExpectResetAsync(rig);
            await rig.Records.NextEndAsync();
        }

        await Patience.Until(() => rig.Records.EstablishedCount == 78, "all are established");
        BackendState state = rig.Backend();
        using (Assert.EnterMultipleScope())
        {
            Assert.That(rig.Listener.Accepted, Is.EqualTo(60 + 6 + 12 + 5));
            Assert.That((rig.Listener.Pending, rig.Listener.Open, state.Active, rig.Engine.Count, rig.Snapshot.State.Open), Is.EqualTo((0, 12, 12, 12, 12)));
            Assert.That((rig.Listener.Refused.Total, rig.Listener.Refused[CloseReason.Limit]), Is.EqualTo((5L, 5L)));
            Assert.That(state.Closed[CloseReason.ClientClosed], Is.EqualTo(clientsFirst));
            Assert.That(state.Closed[CloseReason.BackendClosed], Is.EqualTo(60 - clientsFirst));
            Assert.That((state.Closed[CloseReason.ClientReset], state.Closed[CloseReason.BackendReset]), Is.EqualTo((3L, 3L)));
            Assert.That(state.Closed.Total, Is.EqualTo(66));
            Assert.That((state.ConnectAttempts, state.ConnectFailures.Total), Is.EqualTo((78L, 0L)));
            Assert.That((state.BytesToBackend, state.BytesToClient), Is.EqualTo((toBackend, toClient)));
        }
    }

    [Test]
    public async Task The_listing_shows_what_is_open()
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend));
        (Peer client, Peer server) = await OpenAsync(rig, backend);
        await client.SendAsync(new byte[1000]);
        await server.ReceiveAsync(1000);
        await server.SendAsync(new byte[3000]);
        await client.ReceiveAsync(3000);
        await Patience.Until(() => rig.List() is [{ BytesToBackend: 1000, BytesToClient: 3000 }], "the listing counts the bytes");

        ConnectionRecord record = rig.List().Single();
        using (Assert.EnterMultipleScope())
        {
            Assert.That(record.Id, Is.EqualTo(1));
            Assert.That((record.Tuple.Source, record.Tuple.Destination), Is.EqualTo((client.Local, rig.Address)));
            Assert.That(record.Backend, Is.SameAs(rig.Backend()));
            Assert.That(record.Listener, Is.SameAs(rig.Listener));
            Assert.That(record.LocalEndpoint, Is.EqualTo(server.Remote));
            Assert.That((record.IsEstablished, record.Attempts, record.Generation, record.Reason), Is.EqualTo((true, 1, 1L, CloseReason.None)));
            Assert.That(record.AcceptedAt, Is.LessThanOrEqualTo(record.ConnectStartedAt));
            Assert.That(record.ConnectStartedAt, Is.LessThanOrEqualTo(record.EstablishedAt));
        }

        await FinishAsync(client, server);
        await rig.AtRestAsync();
        Assert.That(rig.List(), Is.Empty);
    }

    [Test]
    public async Task The_listing_shows_what_has_no_backend_yet()
    {
        Rig rig = Start(Settings.Pool(Keep(await TestBackend.SilentAsync())) with { ConnectTimeout = TimeSpan.FromSeconds(30) });
        Peer client = await ConnectAsync(rig);
        await Patience.Until(() => rig.List().Count == 1, "it is listed");

        ConnectionRecord record = rig.List().Single();
        using (Assert.EnterMultipleScope())
        {
            Assert.That(record.Tuple.Source, Is.EqualTo(client.Local));
            Assert.That((record.IsEstablished, record.LocalEndpoint), Is.EqualTo((false, default(Core.Addressing.Endpoint))));
            Assert.That((rig.Engine.Count, rig.Listener.Pending), Is.EqualTo((1, 1)));
        }
    }
}
