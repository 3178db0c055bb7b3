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
