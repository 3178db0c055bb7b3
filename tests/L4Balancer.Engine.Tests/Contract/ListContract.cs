using L4Balancer.Core.Accounting;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Timing;
using L4Balancer.Engine.Tests.Peers;

namespace L4Balancer.Engine.Tests.Contract;

/// <summary>What an engine lists while it serves.</summary>
internal abstract class ListContract(Func<EngineOptions, IEngine> create) : EngineContract(create)
{
    [Test]
    public async Task The_last_activity_is_the_moment_of_the_last_byte()
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend));
        (Peer client, Peer server) = await OpenAsync(rig, backend);
        (Peer quiet, Peer quietServer) = await OpenAsync(rig, backend);
        await Patience.Elapse(TimeSpan.FromMilliseconds(20));
        var before = Instant.Now(TimeProvider.System);

        await client.SendAsync(new byte[1]);
        await server.ReceiveAsync(1);
        Assert.That(LastActivity(client), Is.GreaterThan(before));
        Instant sent = LastActivity(client);
        await Patience.Elapse(TimeSpan.FromMilliseconds(20));
        await server.SendAsync(new byte[1]);
        await client.ReceiveAsync(1);
        Assert.That(LastActivity(client), Is.GreaterThan(sent));

        Assert.That(LastActivity(quiet), Is.LessThan(before));
        await FinishAsync(client, server);
        await FinishAsync(quiet, quietServer);

        Instant LastActivity(Peer peer) => List(rig).Single(c => c.Record.Tuple.Source == peer.Local).LastActivity;
    }

    [Test]
    public async Task Until_it_is_established_the_last_activity_is_when_it_was_accepted()
    {
        Rig rig = Start(Settings.Pool(Keep(await TestBackend.SilentAsync())) with { ConnectTimeout = TimeSpan.FromSeconds(30) });
        Peer client = await ConnectAsync(rig);
        await client.SendAsync(new byte[1]);
        await Patience.Until(() => List(rig).Count == 1, "it is listed");

        OpenConnection open = List(rig).Single();
        Assert.That(open.LastActivity, Is.EqualTo(open.Record.AcceptedAt));
    }

    [Test]
    public async Task Every_living_connection_is_reported_as_it_is_now()
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend));
        (Peer client, Peer server) = await OpenAsync(rig, backend);
        (Peer other, Peer otherServer) = await OpenAsync(rig, backend);
        await client.SendAsync(new byte[7]);
        await server.ReceiveAsync(7);

        // The backend may have them before the engine has counted them.
        await Patience.Until(() => rig.List().Any(r => r.BytesToBackend == 7), "they are counted");
        await rig.Engine.ReportLivingAsync(TimeSpan.Zero, CancellationToken.None).Soon();

        Assert.That(rig.Records.Living.Select(r => r.Tuple.Source), Is.EquivalentTo(new[] { client.Local, other.Local }));
        ConnectionRecord living = rig.Records.Living.Single(r => r.Tuple.Source == client.Local);
        Assert.That((living.BytesToBackend, living.BytesToClient, living.Reason), Is.EqualTo((7, 0, CloseReason.None)));
        Assert.That(living.TotalTime, Is.GreaterThan(TimeSpan.Zero));
        await FinishAsync(client, server);
        await FinishAsync(other, otherServer);
    }

    [Test]
    public async Task Connections_without_a_backend_are_not_reported_as_living()
    {
        Rig rig = Start(Settings.Pool(Keep(await TestBackend.SilentAsync())) with { ConnectTimeout = TimeSpan.FromSeconds(30) });
        await ConnectAsync(rig);
        await Patience.Until(() => List(rig).Count == 1, "it is listed");
        await rig.Engine.ReportLivingAsync(TimeSpan.Zero, CancellationToken.None).Soon();

        Assert.That(rig.Records.Living, Is.Empty);
    }

    [Test]
    public async Task Reports_of_many_connections_take_their_time_and_can_be_cancelled()
    {
        const int many = 600;
        TestBackend backend = Backend();
        backend.ServeEcho();
        Rig rig = Start(Settings.Pool(backend));
        for (int i = 0; i < many; i++)
        {
            await ConnectAsync(rig);
        }

        await Patience.Until(() => rig.Records.EstablishedCount == many, "all are established");
        var before = Instant.Now(TimeProvider.System);
        await rig.Engine.ReportLivingAsync(TimeSpan.FromMilliseconds(600), CancellationToken.None).Soon();
        Assert.That(Instant.Now(TimeProvider.System) - before, Is.GreaterThan(TimeSpan.FromMilliseconds(400)));
        Assert.That(rig.Records.Living.Select(r => r.Id).Distinct().Count(), Is.EqualTo(many));
        Assert.That(rig.Records.Living, Has.Count.EqualTo(many));

        using var cancel = new CancellationTokenSource();
        Task reporting = rig.Engine.ReportLivingAsync(TimeSpan.FromHours(1), cancel.Token);
        await cancel.CancelAsync();
        Assert.That(async () => await reporting.Soon(), Throws.InstanceOf<OperationCanceledException>());
    }

    [Test]
    public async Task No_connection_is_reported_as_living_before_its_start_or_after_its_end()
    {
        TestBackend backend = Backend();
        backend.ServeEcho();
        Rig rig = Start(Settings.Pool(backend));
        bool over = false;
        Task reporting = Task.Run(async () =>
        {
            while (!Volatile.Read(ref over))
            {
                await rig.Engine.ReportLivingAsync(TimeSpan.Zero, CancellationToken.None);
            }
        });
        for (int i = 0; i < 300; i++)
        {
            Peer client = await ConnectAsync(rig);
            await client.SendAsync(new byte[1]);
            await client.ReceiveAsync(1);
            client.Reset();
        }

        await Patience.Until(() => rig.Records.EndedCount == 300, "all have ended");
        Volatile.Write(ref over, true);
        await reporting.Soon();
        Assert.That(rig.Records.Living, Is.Not.Empty);
        Assert.That(rig.Records.LivingMisplaced, Is.Zero);
    }

    [Test]
    public async Task A_turn_is_made_while_it_runs_and_none_is_waited_for_afterwards()
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend));
        await OpenAsync(rig, backend);
        await rig.Engine.PingLoopsAsync().Soon();

        Task stopping = rig.Engine.StopAsync(TimeSpan.Zero, new CancellationToken(canceled: true));
        await rig.Engine.PingLoopsAsync().Soon();
        await stopping.Soon();
        await rig.Engine.PingLoopsAsync().Soon();
    }

    private static List<OpenConnection> List(Rig rig)
    {
        var open = new List<OpenConnection>();
        rig.Engine.List(open.Add);
        return open;
    }
}
